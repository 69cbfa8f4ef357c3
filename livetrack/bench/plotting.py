"""The common style of the benches' figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livetrack.errors import UsageError, reason

__all__ = ["ACCENT", "GRID", "INK", "MUTED", "figure", "style_axis"]

INK, MUTED, GRID, ACCENT = "#1e293b", "#64748b", "#e2e8f0", "#c2410c"


@contextmanager
def figure(path: Path, columns: int, size: tuple[float, float]) -> Iterator[list[Any]]:
    """Yield the axes of a new figure, in one row with a common y axis; write the figure to `path`.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "axes.linewidth": 0.8}):
        drawing, axes = pyplot.subplots(1, columns, figsize=size, squeeze=False, sharey=True)
        try:
            yield list(axes[0])
            drawing.tight_layout(w_pad=2.5)
            drawing.savefig(path, dpi=180)
        except OSError as error:
            raise UsageError(f"--figure {path}: cannot be written: {reason(error)}") from None
        finally:
            pyplot.close(drawing)


def style_axis(axis: Any, *, xlabel: str, ylabel: str = "", grid: str = "both") -> None:
    """Label an axis, add the grid along `grid` and remove the upper and right border."""
    axis.set_xlabel(xlabel, color=INK)
    axis.set_ylabel(ylabel, color=INK)
    axis.tick_params(colors=INK, which="both", length=3, width=0.8)
    axis.grid(axis=grid, which="major", color=GRID, linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color("#94a3b8")
