"""All targets by name."""

from __future__ import annotations

from .formats import FormatTarget
from .images import ImageTarget
from .models import ModelTarget
from .session import SessionTarget
from .settings import SettingsTarget
from .target import Target
from .tiff import TiffTarget

__all__ = ["TARGETS"]

TARGETS: dict[str, type[Target]] = {
    "tiff": TiffTarget,
    "images": ImageTarget,
    "formats": FormatTarget,
    "session": SessionTarget,
    "settings": SettingsTarget,
    "models": ModelTarget,
}
