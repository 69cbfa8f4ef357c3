"""Find and refine: from an image to rows, by the network or by the classical yardsticks."""

from livetrack.localize.localizer import Localizer, load_localizer
from livetrack.localize.refine.radial import CameraNoise

__all__ = ["CameraNoise", "Localizer", "load_localizer"]
