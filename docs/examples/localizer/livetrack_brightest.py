"""A localizer for livetrack: the brightest pixel of the image."""
