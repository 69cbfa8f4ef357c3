"""A recipe from one particle of a running session: its crops, their average, and the ranges to train for."""
