"""How far trainings stray from the reference: `python -m plugrad_conformance.models [DEVICE]`. With
`--record` the reference and its bands are made anew, which takes minutes.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from time import perf_counter

from plugrad_conformance.models import EXERCISES, Training, recorded
from plugrad_conformance.models.band import FILE, record


def main() -> None:
    """Print a line per exercise, or write the file."""
    parser = ArgumentParser(prog="python -m plugrad_conformance.models", description=__doc__)
    parser.add_argument("device", nargs="?", default="numpy", help="where to train, in float32")
    parser.add_argument("--record", action="store_true", help=f"write {FILE.name}")
    options = parser.parse_args()
    if options.record:
        record(EXERCISES)
        sys.stdout.write(f"{FILE}\n")
        return
    sys.stdout.write(f"{'exercise':<14}{'band used':>10}{'quality':>10}{'goal':>7}{'seconds':>9}\n")
    for exercise in EXERCISES:
        began = perf_counter()
        training = Training(exercise, options.device).run()
        seconds = perf_counter() - began
        used, quality = recorded(exercise).share(training), training.evaluate()[1]
        sys.stdout.write(
            f"{exercise.name:<14}{used:>10.1%}{quality:>10.3f}{exercise.goal:>7}{seconds:>9.1f}\n"
        )


if __name__ == "__main__":
    main()
