"""Localisation: from an image to rows, by a network, a classical method or an installed localizer."""

from livetrack.localize.loader import load_localizer
from livetrack.localize.localizer import GuidedLocalizer, LearningLocalizer, Localizer
from livetrack.localize.refine.radial import CameraNoise

__all__ = ["CameraNoise", "GuidedLocalizer", "LearningLocalizer", "Localizer", "load_localizer"]
