"""How good the time left is that a run tells: against how long it really took yet.

    python tests/bench_eta.py [--field corner] [--rounds 3] [--align] [--list FILE]

Runs a field as users do and compares every ``progress`` event of the run log from half-way on with the end of the run.
The target: within 30 % of the time that is really left, as long as a tenth of the run is still to come.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from astropy.table import Table

from helpers.catalog_service import Stars, catalog_service
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field

OBSERVED = 2012.2


def errors(log):
    """Relative errors of the time left from half-way on, and how long the run took from its plan on."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    begun = next(event["time"] for event in events if event["kind"] == "planned")
    (ended,) = (event["time"] for event in events if event["kind"] == "finished")
    estimates = [event for event in events if event["kind"] == "progress" and event["seconds_left"] is not None]
    half, tenth = (begun + ended) / 2, ended - (ended - begun) / 10
    some = [(event["seconds_left"], ended - event["time"]) for event in estimates if half <= event["time"] <= tenth]
    return [left / really - 1 for left, really in some], ended - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", default="corner", choices=["demo", "corner", "three-camera"])
    parser.add_argument("--list", type=Path, help="exposures of yours instead of a field, not aligned")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--align", action="store_true", help="align to a catalogue of the field's own stars")
    parser.add_argument("--learn", action="store_true", help="let each round learn from those before")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        source = given.list
        if source is None:
            simulate_field(requested_field(field=given.field), root / "exposures")
            source = root / "exposures" / "list.txt"
        learned = str(root / "measured.jsonl") if given.learn else "off"
        environment = os.environ | {"XDG_CACHE_HOME": str(root / "cache"), "HSTMOSAIC_LEARNING": learned}
        command = [sys.executable, "-m", "hstmosaic.cli", "run", str(source), "-o", "eta"]
        rounds = []
        for number in range(given.rounds):
            output = root / f"round-{number}"
            if given.align:
                stars = Stars.from_truth(Table.read(source.with_name("truth.ecsv")), OBSERVED)
                with catalog_service(stars) as service:
                    environment["ASTROMETRIC_CATALOG_URL"] = service.url
                    subprocess.run([*command, "--output-dir", output, "-q"], env=environment, check=True)
            else:
                subprocess.run([*command, "--output-dir", output, "-q", "-s"], env=environment, check=True)
            found, seconds = errors(output / "eta_run" / "logs" / "run.jsonl")
            rounds.append(
                {
                    "seconds": round(seconds, 1),
                    "load": round(os.getloadavg()[0], 1),
                    "looks": len(found),
                    "median_error": round(statistics.median(map(abs, found)), 3),
                    "largest_error": round(max(found, key=abs), 3),
                    "within_30_percent": sum(abs(error) <= 0.3 for error in found),
                }
            )
            print(json.dumps(rounds[-1]), file=sys.stderr)
        print(json.dumps({"field": str(given.list or given.field), "aligned": given.align, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
