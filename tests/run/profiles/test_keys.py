"""Keys of profiles: the declaration, the documentation and the profiles that come with hstmosaic agree."""

import re
from pathlib import Path

import pytest
import yaml

from hstmosaic.errors import ProfileError
from hstmosaic.run.profiles.keys import keys_of
from hstmosaic.run.profiles.profile import Profile, profile_from_yaml, profile_names

ROOT = Path(__file__).parents[3]
KEYS = keys_of(Profile)
PAGE = (ROOT / "docs/slurm.md").read_text("utf-8")
BATCH = ROOT / "batch"
OWN_LINE = re.compile(r"  (?P<comment># )?(?P<key>[a-z-]+):(?: (?P<value>.+))?")


def section(name):
    """Return the lines of a profile under ``hstmosaic``."""
    return (BATCH / f"{name}.yaml").read_text("utf-8").partition("\nhstmosaic:\n")[2].splitlines()


def test_the_table_of_the_docs_is_the_declaration():
    rows = [f"| `{name}` | {key.kind.description} | {key.default} | {key.help} |" for name, key in KEYS.items()]
    table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
    assert table in PAGE, f"docs/slurm.md needs this table:\n{table}"


def test_defaults_of_the_docs_are_those_of_the_fields():
    for name, key in KEYS.items():
        shown = re.fullmatch(r"`(.+)`", key.default)
        if shown is not None and not shown[1].startswith("$"):
            profile = profile_from_yaml(f"hstmosaic: {{{name}: {shown[1]}}}", "mine")
            assert getattr(profile, key.field) == getattr(Profile("mine"), key.field), name


def test_comments_of_the_profile_to_copy_are_the_help():
    comments, documented = [], {}
    for line in section("slurm"):
        if line.startswith("  # "):
            comments.append(line.removeprefix("  # "))
        elif found := OWN_LINE.fullmatch(line):
            documented[found["key"]] = " ".join(comments), found["value"]
            comments = []
    assert documented.keys() == KEYS.keys()
    for name, (comment, _) in documented.items():
        assert comment == KEYS[name].help.replace("`", ""), name


def test_values_of_the_profile_to_copy_are_the_defaults():
    for name, value in yaml.safe_load("\n".join(section("slurm"))).items():
        if name != "cluster" and value is not None:
            profile = profile_from_yaml(yaml.safe_dump({"hstmosaic": {name: value}}), "mine")
            assert profile == Profile("mine"), name


@pytest.mark.parametrize("name", profile_names())
def test_profiles_that_come_along_have_declared_keys_alone(name):
    assert yaml.safe_load("\n".join(section(name))).keys() <= KEYS.keys()


@pytest.mark.parametrize("name", KEYS)
def test_each_key_rejects_a_mapping_and_names_what_it_wants(name):
    wanted = KEYS[name].kind.description.replace("`", "")
    with pytest.raises(ProfileError, match=f"hstmosaic.{name} must be {re.escape(wanted)}, not"):
        profile_from_yaml(f"hstmosaic: {{{name}: {{nested: 1}}}}", "mine")
