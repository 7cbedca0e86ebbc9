"""Accuracy of the time left that a run shows, and the longest time for which its percentage stands still.

    python tests/bench_eta.py [--field corner] [--rounds 3] [--align] [--list FILE]
    python tests/bench_eta.py --replay mosaics/*_run/logs/run.jsonl

Runs a field as users do and compares every ``progress`` event of the run log from half-way on with the end of the run.
The target: within 30 % of the time that is really left, as long as a tenth of the run is still to come. The events are
then replayed as a viewer sees them, from the plan to the end: the percentage must change within 5 % of the wall time.
``--replay`` takes run logs, and calculates their progress again at the same times.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from astropy.table import Table

from helpers.catalog_service import Stars, catalog_service
from helpers.events import reported_again, shares_shown
from hstmosaic.simulate import simulate_field
from hstmosaic.simulate.request import requested_field
from hstmosaic.store.events import event_from_line

OBSERVED = 2012.2
STEPS = 1000


def errors(events):
    """Relative errors of the time left from half-way on, and how long the run took from its plan on."""
    begun = next(event.time for event in events if event.kind == "planned")
    (ended,) = (event.time for event in events if event.kind == "finished")
    half, tenth = (begun + ended) / 2, ended - (ended - begun) / 10
    estimates = [event for event in events if event.kind == "progress" and half <= event.time <= tenth]
    some = [(event.payload.seconds_left, ended - event.time) for event in estimates]
    return [left / really - 1 for left, really in some if left is not None], ended - begun


def measured(events):
    """Errors of the time left and the longest standstill of a run, for printing."""
    found, seconds = errors(events)
    return {
        "seconds": round(seconds, 1),
        "looks": len(found),
        "median_error": round(statistics.median(map(abs, found)), 3) if found else None,
        "largest_error": round(max(found, key=abs), 3) if found else None,
        "within_30_percent": sum(abs(error) <= 0.3 for error in found),
        **standstill(events),
    }


def replay(logs):
    """Print what each run log would have shown with the estimates of this version."""
    for log in logs:
        events = list(reported_again(map(event_from_line, log.read_text().splitlines())))
        print(json.dumps({"log": log.name, **measured(events)}))


def standstill(events):
    """Longest time without a new percentage as a fraction of the wall time, where that was, and the last one."""
    shown = [(time, int(100 * share)) for time, share in shares_shown(events, STEPS)]
    changes = [0.0] + [time for (_, before), (time, now) in pairwise(shown) if now != before]
    longest, at = max((after - before, before) for before, after in pairwise(changes))
    return {
        "longest_standstill": round(longest, 3),
        "begins_at": round(at, 3),
        "percent_then": dict(shown)[at],
        "last_percent_before_the_end": max(percentage for time, percentage in shown if time < 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", default="corner", choices=["demo", "corner", "three-camera"])
    parser.add_argument("--list", type=Path, help="exposures of yours instead of a field, not aligned")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--align", action="store_true", help="align to a catalogue of the field's own stars")
    parser.add_argument("--learn", action="store_true", help="let each round learn from those before")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="LOG", help="run logs to replay instead of runs")
    given = parser.parse_args()
    if given.replay:
        return replay(given.replay)
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
            log = output / "eta_run" / "logs" / "run.jsonl"
            events = [event_from_line(line) for line in log.read_text().splitlines()]
            rounds.append({"load": round(os.getloadavg()[0], 1), **measured(events)})
            print(json.dumps(rounds[-1]), file=sys.stderr)
        print(json.dumps({"field": str(given.list or given.field), "aligned": given.align, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
