"""What all localizers share whose network searches an image of another size than the one that they are given."""

from __future__ import annotations

from collections.abc import Callable

from livetrack.localize.localizer import Localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows

__all__ = ["ResizingLocalizer", "resized"]


class ResizingLocalizer(Localizer):
    """Gives a network another image to search, and is the network in all else: name, threshold, runtime.

    Parameters
    ----------
    network
        Also an attribute.
    """

    def __init__(self, network: NetworkLocalizer) -> None:
        self.network = network
        self.name, self.provider, self.default_threshold = network.name, network.provider, network.default_threshold

    @property
    def threshold(self) -> float:
        """Minimum score of a row, 0..1; may be set between two calls."""
        return self.network.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        self.network.threshold = value

    @property
    def threads(self) -> str:
        """The number of threads that the network runs on, in words."""
        return self.network.threads

    def run_like(self, other: NetworkLocalizer) -> None:
        """Run the network as was chosen for another model. See `NetworkLocalizer.run_like`."""
        self.network.run_like(other)
        self._adopt_runtime()

    def choose_threads(self, work: Callable[[], object]) -> None:
        """Run the network on as many threads as are fastest. See `ThreadedLocalizer.choose_threads`."""
        self.network.choose_threads(work)
        self._adopt_runtime()

    def choose_runtime(self, work: Callable[[], object]) -> None:
        """Likewise on the fastest runtime. See `RuntimeLocalizer.choose_runtime`."""
        self.network.choose_runtime(work)
        self._adopt_runtime()

    def _adopt_runtime(self) -> None:
        """Adopt what the network runs on."""
        self.provider = self.network.provider


def resized(rows: Rows, halvings: int) -> Rows:
    """Return `rows`, (N,), of an image halved so often in px of the image itself; negative: the other way round.

    Those of an image that was enlarged twice are those of one that was halved -1 times.
    """
    if not halvings:
        return rows
    factor, rows = 2.0**halvings, rows.copy()
    for axis in ("x", "y"):
        rows[axis] = factor * rows[axis] + 0.5 * (factor - 1)
        rows[f"{axis}_std"] *= factor
    rows["xy_cov"] *= factor * factor
    return rows
