"""Accuracy bench: errors, detection and uncertainty against other methods and the Cramér-Rao bound, on common images.

The images are drawn by the bench's own code, so that no error of `livetrack.optics` is hidden in the comparison.
"""

__all__: list[str] = []
