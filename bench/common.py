"""What the benchmarks in Python have in common: where the harness is, their
command line, their figures, and the file that takes them."""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "system"))


def spread(xs, digits=3):
    """Median, least and greatest."""
    return {
        "median": round(statistics.median(xs), digits),
        "min": round(min(xs), digits),
        "max": round(max(xs), digits),
        "runs": len(xs),
    }


def parser(text, parts):
    """With what all of them take; `text` is the docstring of one."""
    res = argparse.ArgumentParser(description=text.splitlines()[0])
    res.add_argument("--dir", default=tempfile.gettempdir())
    res.add_argument("--json", help="file for all figures")
    # No choices=: they would refuse that there is none.
    res.add_argument("parts", nargs="*", metavar="PART", help=" ".join(parts))
    return res


def run(make, options, parts):
    """Runs the `parts` of make(args), or those that were asked for, and writes its
    `results`."""
    args = options.parse_args()
    for part in args.parts:
        if part not in parts:
            options.error(f"{part} is none of {', '.join(parts)}")
    os.makedirs(args.dir, exist_ok=True)
    tempfile.tempdir = args.dir  # Clusters keep their data there.
    bench = make(args)
    for part in args.parts or parts:
        getattr(bench, part)()
    if args.json:
        text = json.dumps(bench.results, indent=2) + "\n"
        pathlib.Path(args.json).write_text(text, encoding="utf-8")
