"""`python -m livetrack`: the command line."""

from livetrack.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
