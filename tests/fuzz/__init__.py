"""Mutation fuzzing of all that livetrack reads from files: `python -m tests.fuzz TARGET --seconds 600 --seed 1`.

Each input must be read, or refused with a `LivetrackError` of one line, within 10 s and 2 GB. An input that reaches
lines that none before it reached is kept and changed further.
"""
