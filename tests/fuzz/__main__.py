"""Command line of the fuzzing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .targets import TARGETS
from .watch import run


def main() -> int:
    """Run one target, or all of them in turn; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what livetrack reads from files.")
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for inputs that are findings")
    args = parser.parse_args()
    found = False
    for name in TARGETS if args.target == "all" else [args.target]:
        result = run(TARGETS[name](), args.seed, args.seconds, args.keep / name)
        print(
            f"{name}: {result.cases} inputs, slowest {result.slowest_s:.1f} s, {result.memory_mb} MB, "
            f"{result.lines} lines reached, {result.kept} inputs kept; {dict(result.counts)}",
            flush=True,
        )
        for kind, finding in result.findings.items():
            found = True
            print(f"\n{kind}\n  {finding.path}\n{finding.what[-2000:]}", flush=True)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
