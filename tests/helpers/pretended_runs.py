"""Runs of placeholders."""

import json
import shutil

from hstmosaic.store.run_directory import RunDirectory


def copy_as_made(outcome, folder):
    """Copy a run of placeholders to a folder, recorded as one that has made mosaics; return its run directory."""
    output = folder / "out"
    shutil.copytree(outcome.directory.parent, output)
    made = RunDirectory(output / outcome.directory.name)
    lines = [json.loads(line) for line in made.log_file.read_text().splitlines()]
    lines = [line | ({"command": {}} if line["kind"] == "planned" else {}) for line in lines]
    made.log_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return made
