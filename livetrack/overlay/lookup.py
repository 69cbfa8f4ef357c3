"""Lookup tables: which colour a grey level is shown in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

__all__ = ["LOOKUPS", "lookup_table"]

LOOKUPS = ("grey", "inverted", "limits", "inferno", "viridis", "cividis", "turbo")
"""`limits` is grey with blue for black and red for white: what is cut off at either end shows at a glance."""

_LEVELS = 256


def lookup_table(name: str, gamma: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return (256, 3) of red, green, blue, from the black level to the white one.

    Parameters
    ----------
    name
        Of `LOOKUPS`.
    gamma
        The share of the way from black to white is raised to this power: below 1, faint things are brightened.
    """
    shares = np.linspace(0.0, 1.0, _LEVELS) ** gamma
    if name == "inverted":
        shares = 1.0 - shares
    if name in ("grey", "inverted", "limits"):
        table = np.repeat(np.round(255 * shares).astype(np.uint8)[:, None], 3, axis=1)
        if name == "limits":
            table[0], table[-1] = (40, 90, 255), (255, 50, 50)
        return table
    colours: npt.NDArray[np.uint8] = pg.colormap.get(name).map(shares, mode="byte")[:, :3]
    return colours
