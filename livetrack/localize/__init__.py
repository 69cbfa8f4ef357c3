"""Find and refine: from an image to rows, by the network or by the classical yardsticks."""

from livetrack.localize.localizer import Localizer, load_localizer

__all__ = ["Localizer", "load_localizer"]
