"""The targets that the cells answer, a line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from livetrack.bench.accuracy.bound import NUISANCES
from livetrack.bench.accuracy.conditions import Cell, Fields
from livetrack.bench.accuracy.grids import SPOT_SIGMAS
from livetrack.bench.accuracy.measure import ISOLATED_PX, Figures, Result
from livetrack.bench.accuracy.reference_values import known_of
from livetrack.bench.matching import GATE_PX
from livetrack.bench.result import Line

__all__ = ["target_lines"]

_PRECISE = (
    f"RMSE per axis, bias included, of the particles matched within {GATE_PX:g} px; bound with {', '.join(NUISANCES)} "
    "unknown"
)
_SPOTS = ((4, 100, 1.10), (2, 4, 1.25))  # SNR from, to; RMSE / CRLB
_BEADS = 1.3
_FLOOR = 1.15
_UNEVEN = 1.10
_FOUND = {3.0: 0.90, 4.0: 0.97}  # F1 by SNR
_FALSE = 0.5
_CROWD, _CROWD_ISOLATED, _CROWD_ALL = 1000, 0.97, 0.88
_LEAST_FOUND = 200  # in a cell: fewer say nothing of a spread or a bias
_EVERY_CELL = (
    ("spread of error / x_std", "spread", 0.9, 1.1, "1.4826 x median of |error| / x_std, both axes"),
    ("coverage of 95 %", "coverage", 0.92, 0.98, "share of the errors within 1.96 x_std, both axes"),
    ("pixel locking", "phase_bias", 0.0, 0.3, "largest mean error of ten bins of sub-pixel phase, over the CRLB"),
)


def target_lines(results: Sequence[Result], method: str, family: str) -> list[Line]:
    """Return every target of `family` that `results` answer, for one method."""
    reached = [(each.cell, figures) for each in results if each.cell.family == family and (figures := each.of(method))]
    return [
        *_spots(reached, method),
        *_deeptracks_images(results, method),
        *_uneven_light(reached, method),
        *_detection(reached, method),
        *_density(reached, method),
        *_every_cell(reached, method),
    ]


Reached = Sequence[tuple[Cell, Figures]]


def _spots(reached: Reached, method: str) -> Iterator[Line]:
    for noise in ("additive", "Poisson"):
        for sigma in SPOT_SIGMAS:
            for low, high, most in _SPOTS:
                some = [
                    (cell, figures)
                    for cell, figures in reached
                    if isinstance(cell, Fields)
                    and (cell.grid, cell.size_px, cell.read > 0) == ("spot", sigma, noise == "additive")
                    and low <= cell.snr <= high
                ]
                if not some:
                    continue
                cell, worst = max(some, key=lambda pair: math.inf if pair[1].ratio is None else pair[1].ratio)
                yield Line(
                    name=f"{method}: isolated, sigma {sigma:g} px, {noise} noise, SNR {low}-{high}",
                    definition=f"{cell.definition}; {_PRECISE}; the worst SNR",
                    n=sum(figures.particles for _, figures in some),
                    figures={
                        "ratio": worst.ratio,
                        "standard_error": worst.ratio_error,
                        "at_snr": cell.snr,
                        "recall": worst.recall,
                    },
                    target=f"at most {most:.2f} x CRLB",
                    met=_at_most(worst.ratio, most),
                )


def _deeptracks_images(results: Sequence[Result], method: str) -> Iterator[Line]:
    ratios: dict[float, float] = {}
    for result in results:
        cell, figures, radial = result.cell, result.of(method), result.of("radial symmetry")
        if not (known := known_of(cell)) or not figures:
            continue
        symmetry = radial.rmse_px if radial and radial.rmse_px else known.radial_symmetry
        yield Line(
            name=f"{method}: {cell.name.removeprefix('bead: ')}",
            definition=f"{cell.definition}; {_PRECISE}",
            n=figures.particles,
            figures={
                "rmse_px": figures.rmse_px,
                "deeptrack_px": known.deeptrack,
                "radial_symmetry_px": symmetry,
                "crlb_px": figures.crlb_px,
                "ratio": figures.ratio,
                "recall": figures.recall,
            },
            target=f"below DeepTrack and radial symmetry, at most {_BEADS:g} x CRLB",
            met=_at_most(figures.ratio, _BEADS) and _at_most(figures.rmse_px, min(known.deeptrack, symmetry)),
        )
        if figures.ratio and cell.name.endswith("gradient 0"):
            ratios[cell.snr] = figures.ratio
    if 50 in ratios and 100 in ratios:
        rise = ratios[100] / ratios[50]
        yield Line(
            name=f"{method}: no floor at SNR 100",
            definition=f"RMSE / CRLB on DeepTrack's images at SNR 100 over that at SNR 50; {_PRECISE}",
            n=sum(each.cell.images for each in results if known_of(each.cell) and each.cell.snr in (50, 100)),
            figures={"rise": rise, "ratio_50": ratios[50], "ratio_100": ratios[100]},
            target=f"at most {_FLOOR:g}",
            met=rise <= _FLOOR,
        )


def _uneven_light(reached: Reached, method: str) -> Iterator[Line]:
    cells = {cell.name: (cell, figures) for cell, figures in reached if cell.grid == "light"}
    for name, (cell, figures) in cells.items():
        family, light, size = name.split(", ")
        if light == "even":
            continue
        even = cells[f"{family}, even, {size}"][1]
        worse = figures.ratio / even.ratio if figures.ratio and even.ratio else None
        yield Line(
            name=f"{method}: {light}",
            definition=f"{cell.definition}; RMSE / CRLB, which knows the photons that are left, over the same under "
            f"even light; {_PRECISE}",
            n=figures.particles,
            figures={"worse": worse, "ratio": figures.ratio, "ratio_even": even.ratio, "recall": figures.recall},
            target=f"at most {_UNEVEN:.2f} x the error under even light",
            met=_at_most(worse, _UNEVEN),
        )


def _detection(reached: Reached, method: str) -> Iterator[Line]:
    for cell, figures in reached:
        if cell.grid == "detection" and cell.snr in _FOUND:
            yield Line(
                name=f"{method}: {cell.name}",
                definition=f"{cell.definition}; gate {GATE_PX:g} px",
                n=figures.particles,
                figures={"f1": figures.f1, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {_FOUND[cell.snr]:.2f}",
                met=_at_least(figures.f1, _FOUND[cell.snr]),
            )
        if cell.grid == "empty":
            yield Line(
                name=f"{method}: {cell.name}",
                definition=f"{cell.definition}; rows per frame",
                n=figures.images,
                figures={"false_per_frame": figures.false_per_image},
                target=f"fewer than {_FALSE:g} per frame",
                met=figures.false_per_image < _FALSE,
            )


def _density(reached: Reached, method: str) -> Iterator[Line]:
    for cell, figures in reached:
        if not (isinstance(cell, Fields) and cell.grid == "density" and cell.count == _CROWD):
            continue
        for what, value, least in (
            (f"no neighbour within {ISOLATED_PX:g} px", figures.f1_isolated, _CROWD_ISOLATED),
            ("all", figures.f1, _CROWD_ALL),
        ):
            yield Line(
                name=f"{method}: {_CROWD:,} particles, SNR 7, {what}",
                definition=f"{cell.definition}; gate {GATE_PX:g} px; a false row belongs to its nearest particle",
                n=figures.particles,
                figures={"f1": value, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {least:.2f}",
                met=_at_least(value, least),
            )


def _every_cell(reached: Reached, method: str) -> Iterator[Line]:
    named = [(cell, figures) for cell, figures in reached if _in_the_table(cell)]
    cells = [(cell, figures) for cell, figures in named if (figures.recall or 0) * figures.particles >= _LEAST_FOUND]
    for what, attribute, low, high, definition in _EVERY_CELL if cells else ():
        values = {cell.name: getattr(figures, attribute) for cell, figures in cells}
        known = {name: value for name, value in values.items() if value is not None}
        out = [name for name, value in values.items() if value is None or not low <= value <= high]
        lowest, highest = (pick(known, key=known.__getitem__, default="none") for pick in (min, max))
        yield Line(
            name=f"{method}: {what}, every cell",
            definition=f"{definition}; particles matched within {GATE_PX:g} px; the cells that the other targets name, "
            f"where at least {_LEAST_FOUND} were found",
            n=sum(figures.particles for _, figures in cells),
            figures={
                "lowest": known.get(lowest),
                "lowest_at": lowest,
                "highest": known.get(highest),
                "highest_at": highest,
                "cells": len(cells),
                "cells_with_too_few_found": len(named) - len(cells),
                "cells_out": len(out),
                "out": "; ".join(out),
            },
            target=f"within {low:g}-{high:g}" if low else f"at most {high:g}",
            met=not out,
        )


def _in_the_table(cell: Cell) -> bool:
    """Return whether one of the other targets names the cell: the grids go on beyond."""
    return {
        "spot": 2 <= cell.snr <= 100,
        "bead": known_of(cell) is not None,
        "light": True,
        "detection": cell.snr in _FOUND,
        "density": isinstance(cell, Fields) and cell.count == _CROWD,
    }.get(cell.grid, False)


def _at_most(value: float | None, most: float) -> bool:
    return value is not None and value <= most


def _at_least(value: float | None, least: float) -> bool:
    return value is not None and value >= least
