"""Drizzle parameters of the user."""

import json

import pytest

from hstmosaic.errors import BadInputError
from hstmosaic.plan.parameter_names import astrodrizzle_parameters
from hstmosaic.plan.parameters import DrizzleParameters, read_parameters
from hstmosaic.plan.request import MosaicRequest, Sky

TEXT = """
final_pixfrac = 0.8
final_bits = 336

[wfc3]
final_kernel = "Gaussian"

[wfc3.ir]
skyupper = "none"

["wfc3/uvis/f606w"]
final_pixfrac = 0.5
"""


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "parameters.toml"
    path.write_text(TEXT)
    return read_parameters(path)


def problems_of(tmp_path, text, name="parameters.toml"):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInputError) as caught:
        read_parameters(path)
    return [f"{problem.cause}; {problem.next_step}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (("acs", "wfc", "f814w"), {"final_pixfrac": 0.8, "final_bits": "336"}),
        (("wfc3", "uvis", "f606w"), {"final_pixfrac": 0.5, "final_bits": "336", "final_kernel": "gaussian"}),
        (
            ("wfc3", "ir", "f160w"),
            {"final_pixfrac": 0.8, "final_bits": "336", "final_kernel": "gaussian", "skyupper": None},
        ),
    ],
)
def test_narrower_scopes_override_wider_ones(parameters, layer, expected):
    assert parameters.for_layer(*layer) == expected


def test_json_means_the_same(parameters, tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(parameters.to_dict().pop("") | {"wfc3": {"final_kernel": "gaussian"}}))
    assert read_parameters(path).for_layer("wfc3", "uvis", "f814w") == parameters.for_layer("wfc3", "uvis", "f814w")


def test_requests_survive_json(parameters):
    request = MosaicRequest(parameters, Sky.LOCALMIN, compress=True)
    assert MosaicRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request
    assert MosaicRequest().to_dict() == {}


def test_scopes_without_layers_are_found(parameters):
    assert parameters.unused({("wfc3", "uvis", "f606w")}) == ("wfc3/ir",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("final_pixfrax = 1.0", "AstroDrizzle has no parameter of this name; did you mean final_pixfrac"),
        ('final_kernel = "tophat"', "'tophat' is not possible: drizzlepac removed this kernel"),
        ('final_kernel = "sqare"', "must be one of square, point, gaussian, turbo, tophat, lanczos3, not 'sqare'"),
        ("final_pixfrac = 2.0", "must be above 0 and at most 1, not 2"),
        ("final_pixfrac = true", "must be a number, not True"),
        ("skyclip = 2.5", "must be an integer, not 2.5"),
        ('skysub = "yes"', "must be true or false, not 'yes'"),
        ('final_bits = "all"', "must be DQ flags such as 64,32 or ~4096, not 'all'"),
        ("final_scale = 0.03", "cannot be set: it follows from --grid, --scale and --bounds"),
        ('output = "x"', "cannot be set: hstmosaic sets it"),
        ('skyfile = "x"', "cannot be set: it names a file"),
        ("[wfc4]\nfinal_bits = 0", "no instrument 'wfc4'; did you mean wfc3?"),
        ("[wfc3.uvs]\nfinal_bits = 0", "wfc3 has no detector 'uvs'; did you mean uvis?"),
        ("[wfc3.ir.f160w.x]\nfinal_bits = 0", "the table is nested too deeply"),
        ("final_bits 0", "is neither TOML nor JSON"),
    ],
)
def test_invalid_parameters_are_refused(tmp_path, line, expected):
    (problem,) = problems_of(tmp_path, line)
    assert expected in problem


def test_all_problems_are_reported_together(tmp_path):
    assert len(problems_of(tmp_path, 'final_pixfrac = 2\nfinal_kernel = "x"\nnonsense = 1')) == 3


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        read_parameters(tmp_path / "gone.toml")


def test_every_option_has_choices():
    options = [parameter for parameter in astrodrizzle_parameters().values() if parameter.kind == "option"]
    assert {parameter.name for parameter in options} >= {"final_kernel", "final_wht_type", "skymethod", "final_units"}
    assert all(len(parameter.choices) > 1 for parameter in options)


@pytest.mark.parametrize(
    ("sky", "expected"),
    [
        (Sky.MATCH, {"skysub": True, "skymethod": "match"}),
        (Sky.LOCALMIN, {"skysub": True, "skymethod": "localmin"}),
        (Sky.NONE, {"skysub": False}),
    ],
)
def test_the_sky_option_overrides_the_file(sky, expected):
    parameters = DrizzleParameters.from_dict({"": {"skysub": sky is Sky.NONE}})
    assert MosaicRequest(parameters, sky).layer_parameters("acs", "wfc", "f606w") == expected


@pytest.mark.upstream
def test_names_and_types_are_those_of_astrodrizzle():
    from drizzlepac import util

    defaults = util.getDefaultConfigObj("astrodrizzle", None, {}, loadOnly=False)
    theirs = {}
    for name, value in defaults.items():
        theirs |= dict(value) if hasattr(value, "items") else {name: value}
    known = astrodrizzle_parameters()
    assert {name for name in theirs if not name.startswith("_")} - {"mdriztab", "updatewcs"} <= known.keys()
    for name, value in theirs.items():
        if name in known and not known[name].reserved and value != "":
            assert known[name].value(value) == value or known[name].value(value) is None
