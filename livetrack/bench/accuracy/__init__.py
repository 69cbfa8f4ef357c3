"""Errors, detection and uncertainty beside other methods and the Cramér-Rao bound, all on the same images.

The images are made here and not by `livetrack.optics`, whose errors a comparison would otherwise share.
"""
