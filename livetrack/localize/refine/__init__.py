"""Refinement: from a position that is a pixel off to the limit that the noise sets."""
