"""Refinement: from positions a fraction of a pixel off to the limit that the noise sets."""
