"""The targets that the cells answer, one line each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from livetrack.bench.bound import NUISANCES
from livetrack.bench.cell import Cell, DeepTrackImages, Fields
from livetrack.bench.grids import SPOT_SIGMAS
from livetrack.bench.line import Line
from livetrack.bench.matching import GATE_PX
from livetrack.bench.measure import ISOLATED_PX, Figures

__all__ = ["PUBLISHED", "Result", "target_lines", "yardstick_lines"]

PUBLISHED = {
    (5.0, 0.0): (0.442, 0.940, 0.264),
    (10.0, 0.0): (0.211, 0.605, 0.132),
    (20.0, 0.0): (0.119, 0.250, 0.065),
    (50.0, 0.0): (0.083, 0.054, 0.025),
    (100.0, 0.0): (0.080, 0.019, 0.013),
    (50.0, 0.5): (0.125, 0.409, 0.026),
    (50.0, 1.0): (0.212, 0.844, 0.026),
}
"""(SNR, gradient): RMSE per axis in px of DeepTrack's published network, of radial symmetry, and the bound."""

_PRECISE = (
    f"RMSE per axis, bias included, of the particles matched within {GATE_PX:g} px; bound with {', '.join(NUISANCES)} "
    "unknown"
)


class Result(NamedTuple):
    """A cell and what each method reached in it."""

    cell: Cell
    figures: list[Figures]

    def of(self, method: str) -> Figures:
        """Return the figures of one method."""
        return next(each for each in self.figures if each.method == method)


def target_lines(results: Sequence[Result], method: str, family: str) -> list[Line]:
    """Return every target of `family` that `results` answer, for one method."""
    mine = [each for each in results if each.cell.family == family]
    return [
        *_precision_of_spots(mine, method),
        *_deeptracks_images(mine, method),
        *_uneven_light(mine, method),
        *_detection(mine, method),
        *_density(mine, method),
        *_every_cell(mine, method),
    ]


def yardstick_lines(results: Sequence[Result]) -> list[Line]:
    """Return whether radial symmetry and the bound give what is known of them on DeepTrack's images."""
    lines = []
    for result in results:
        known = _published(result.cell)
        if not known or not any(each.method == "radial symmetry" for each in result.figures):
            continue
        figures = result.of("radial symmetry")
        for what, value, expected in (
            ("radial symmetry", figures.rmse_px, known[1]),
            ("bound", figures.crlb_px, known[2]),
        ):
            lines.append(
                Line(
                    name=f"yardstick: {what}, {_short(result.cell)}",
                    definition=f"{result.cell.definition}; {_PRECISE}",
                    n=figures.particles,
                    figures={"px": value, "known_px": expected},
                    target="within 15 % of what is known",
                    met=value is not None and abs(value / expected - 1) <= 0.15,
                )
            )
    return lines


def _precision_of_spots(results: Sequence[Result], method: str) -> Iterable[Line]:
    cells = [each for each in results if each.cell.grid == "spot"]
    for noise in ("additive", "Poisson"):
        for sigma in SPOT_SIGMAS:
            for low, high, most in ((4, 100, 1.10), (2, 4, 1.25)):
                some = [
                    each
                    for each in cells
                    if isinstance(each.cell, Fields)
                    and each.cell.size_px == sigma
                    and (each.cell.read > 0) == (noise == "additive")
                    and low <= each.cell.snr <= high
                ]
                if some:
                    name = f"{method}: isolated, sigma {sigma:g} px, {noise} noise, SNR {low}-{high}"
                    yield _worst(name, some, method, "ratio", lambda figures: figures.ratio, most, "x CRLB")


def _deeptracks_images(results: Sequence[Result], method: str) -> Iterable[Line]:
    reached: dict[float, float] = {}
    for result in results:
        if not (known := _published(result.cell)):
            continue
        figures = result.of(method)
        radial = next((each.rmse_px for each in result.figures if each.method == "radial symmetry"), None)
        rivals = [known[0], known[1], *([radial] if radial else [])]
        values: dict[str, float | str | None] = {
            "rmse_px": figures.rmse_px,
            "deeptrack_px": known[0],
            "radial_symmetry_px": radial or known[1],
            "crlb_px": figures.crlb_px,
            "ratio": figures.ratio,
            "recall": figures.recall,
        }
        yield Line(
            name=f"{method}: {_short(result.cell)}",
            definition=f"{result.cell.definition}; {_PRECISE}",
            n=figures.particles,
            figures=values,
            target="below DeepTrack and radial symmetry, at most 1.3 x CRLB",
            met=_at_most(figures.ratio, 1.3) and _at_most(figures.rmse_px, min(rivals)),
        )
        if isinstance(result.cell, DeepTrackImages) and not result.cell.gradient and figures.ratio:
            reached[result.cell.snr] = figures.ratio
    if 50 in reached and 100 in reached:
        rise = reached[100] / reached[50]
        yield Line(
            name=f"{method}: no floor at SNR 100",
            definition=f"RMSE / CRLB on DeepTrack's images at SNR 100 over that at SNR 50; {_PRECISE}",
            n=2000,
            figures={"rise": rise, "ratio_50": reached[50], "ratio_100": reached[100]},
            target="at most 1.15",
            met=rise <= 1.15,
        )


def _uneven_light(results: Sequence[Result], method: str) -> Iterable[Line]:
    cells = {each.cell.name: each for each in results if each.cell.grid == "light"}
    for name, result in cells.items():
        kind, _, size = name.rpartition(", ")
        if kind.endswith("even"):
            continue
        even = cells[f"{kind.rpartition(', ')[0]}, even, {size}"].of(method)
        figures = result.of(method)
        worse = figures.ratio / even.ratio if figures.ratio and even.ratio else None
        yield Line(
            name=f"{method}: {kind.rpartition(', ')[2]}",
            definition=f"{result.cell.definition}; RMSE / CRLB, which knows the photons that are left, over the same "
            f"under even light; {_PRECISE}",
            n=figures.particles,
            figures={"worse": worse, "ratio": figures.ratio, "ratio_even": even.ratio, "recall": figures.recall},
            target="at most 1.10 x the error under even light",
            met=_at_most(worse, 1.10),
        )


def _detection(results: Sequence[Result], method: str) -> Iterable[Line]:
    for result in results:
        cell, least = result.cell, {3: 0.90, 4: 0.97}
        if cell.grid == "detection" and cell.snr in least:
            figures = result.of(method)
            yield Line(
                name=f"{method}: {cell.name}",
                definition=f"{cell.definition}; gate {GATE_PX:g} px",
                n=figures.particles,
                figures={"f1": figures.f1, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {least[int(cell.snr)]:.2f}",
                met=_at_least(figures.f1, least[int(cell.snr)]),
            )
        if cell.grid == "empty":
            figures = result.of(method)
            yield Line(
                name=f"{method}: {cell.name}",
                definition=f"{cell.definition.split(',')[0]}; rows per frame",
                n=figures.images,
                figures={"false_per_frame": figures.false_per_image},
                target="fewer than 0.5 per frame",
                met=figures.false_per_image < 0.5,
            )


def _density(results: Sequence[Result], method: str) -> Iterable[Line]:
    for result in results:
        cell = result.cell
        if cell.grid != "density" or not isinstance(cell, Fields) or cell.count != 1000:
            continue
        figures = result.of(method)
        for what, value, least in (
            (f"no neighbour within {ISOLATED_PX:g} px", figures.f1_isolated, 0.97),
            ("all", figures.f1, 0.88),
        ):
            yield Line(
                name=f"{method}: 1,000 particles, SNR 7, {what}",
                definition=f"{cell.definition}; gate {GATE_PX:g} px; a false row belongs to its nearest particle",
                n=figures.particles,
                figures={"f1": value, "recall": figures.recall, "false_per_frame": figures.false_per_image},
                target=f"F1 at least {least:.2f}",
                met=_at_least(value, least),
            )


def _every_cell(results: Sequence[Result], method: str) -> Iterable[Line]:
    cells = [each for each in results if _in_the_table(each.cell)]
    if not cells:
        return
    n = sum(each.of(method).particles for each in cells)
    for what, low, high, definition, value in (
        (
            "spread of error / x_std",
            0.9,
            1.1,
            "1.4826 x median of |error| / x_std, both axes",
            lambda figures: figures.spread,
        ),
        (
            "coverage of 95 %",
            0.92,
            0.98,
            "share of errors within 1.96 x_std, both axes",
            lambda figures: figures.coverage,
        ),
        (
            "pixel locking",
            0.0,
            0.3,
            "largest mean error of ten bins of sub-pixel phase, over the CRLB",
            lambda figures: figures.phase_bias,
        ),
    ):
        yield _range(f"{method}: {what}, every cell", cells, method, n, definition, value, low, high)


def _range(
    name: str,
    cells: Sequence[Result],
    method: str,
    n: int,
    definition: str,
    value: Callable[[Figures], float | None],
    low: float,
    high: float,
) -> Line:
    values = {each.cell.name: value(each.of(method)) for each in cells}
    known = {cell: each for cell, each in values.items() if each is not None}
    out = [cell for cell, each in values.items() if each is None or not low <= each <= high]
    lowest, highest = (pick(known, key=known.__getitem__, default="none") for pick in (min, max))
    return Line(
        name=name,
        definition=f"{definition}; particles matched within {GATE_PX:g} px",
        n=n,
        figures={
            "lowest": known.get(lowest),
            "lowest_at": lowest,
            "highest": known.get(highest),
            "highest_at": highest,
            "cells": len(cells),
            "cells_out": len(out),
            "out": "; ".join(out),
        },
        target=f"at most {high:g}" if not low else f"within {low:g}-{high:g}",
        met=not out,
    )


def _worst(
    name: str,
    cells: Sequence[Result],
    method: str,
    label: str,
    value: Callable[[Figures], float | None],
    most: float,
    unit: str,
) -> Line:
    all_figures = [(each.cell, each.of(method)) for each in cells]
    cell, figures = max(all_figures, key=lambda pair: math.inf if value(pair[1]) is None else value(pair[1]) or 0.0)
    return Line(
        name=name,
        definition=f"{cell.definition}; {_PRECISE}",
        n=sum(each.particles for _, each in all_figures),
        figures={
            label: value(figures),
            "standard_error": figures.ratio_error,
            "at_snr": cell.snr,
            "recall": figures.recall,
        },
        target=f"at most {most:.2f} {unit}",
        met=_at_most(value(figures), most),
    )


def _in_the_table(cell: Cell) -> bool:
    """Return whether the issue's "every cell" means it: grids go beyond its table, so as to show what comes after."""
    if cell.grid == "bead":
        return _published(cell) is not None
    return cell.grid in ("light", "detection", "density") or (cell.grid == "spot" and 2 <= cell.snr <= 100)


def _published(cell: Cell) -> tuple[float, float, float] | None:
    return PUBLISHED.get((cell.snr, cell.gradient)) if isinstance(cell, DeepTrackImages) else None


def _short(cell: Cell) -> str:
    return cell.name.removeprefix("bead: ")


def _at_most(value: float | None, most: float) -> bool:
    return value is not None and value <= most


def _at_least(value: float | None, least: float) -> bool:
    return value is not None and value >= least
