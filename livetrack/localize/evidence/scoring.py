"""Scores of an image's candidates from the network and from matched filters together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.jit import njit
from livetrack.localize.evidence.candidates import Candidates, near_rows, of_image
from livetrack.localize.evidence.decision import FEATURES, Law, decide
from livetrack.localize.evidence.matched_filters import WHITE, MatchedFilters, Noise
from livetrack.localize.models import ModelCard
from livetrack.localize.normalize import extrapolate_background
from livetrack.particles import ROW, Rows

__all__ = ["LEAST_NETWORK_SCORE", "EvidenceScoring"]

LEAST_NETWORK_SCORE = 0.011
"""Rows of the network below are not considered."""


class EvidenceScoring:
    """Gives candidates their scores.

    Parameters
    ----------
    card
        Of a model with `filters_px`.
    threads
        Number of threads.

    Raises
    ------
    ModelError
        The card does not have as many weights as the decision has features.
    """

    def __init__(self, card: ModelCard, threads: int) -> None:
        if len(card.decision_weights) != FEATURES:
            raise ModelError(
                f"model {card.name}: its decision has {len(card.decision_weights)} weights, this livetrack needs "
                f"{FEATURES}; train it again from its recipe"
            )
        self._filters = MatchedFilters(card.filters_px)
        self._weights = np.array(card.decision_weights)
        self._sign = -1 if card.contrast == "dark" else 1
        self._radius, self._threads = card.background_radius_px, threads
        self.law: Law | None = None
        """Of the last image, or, of parts that were decided by themselves, of the one before."""
        self._recalled: Law | None = None

    def recall(self, law: Law | None) -> None:
        """Decide parts of the next image by the law of an earlier one; None: by themselves."""
        self._recalled = law
        if law is not None:
            self.law = law

    def score_image(
        self, rows: Rows, image: npt.NDArray[Any], noise: float, flat: npt.NDArray[np.float32], threshold: float
    ) -> Rows:
        """Return the particles of a whole image, of the network's `rows` and other peaks: (N,), top to bottom.

        Parameters
        ----------
        image
            (H, W), see `as_kernel_input`.
        noise
            From `noise_level`, grey levels.
        flat
            (H, W) from `normalize_into`; changed.
        threshold
            Minimum score.
        """
        candidates, of_noise = self.candidates(rows, image, noise, flat)
        score, self.law = decide(candidates, of_noise, self._weights)
        return _chosen(candidates, score, len(rows), threshold)

    def score_parts(self, rows: Rows, image: npt.NDArray[Any], noise: float, threshold: float) -> Rows:
        """Return the particles of the network's `rows` from parts of an image, (N,). Parameters as above."""
        of_noise = self._recalled.noise if self._recalled else WHITE
        candidates = near_rows(rows, image, self._filters, self._sign / noise, self._radius, of_noise)
        score, law = decide(candidates, of_noise, self._weights, self._recalled)
        if self._recalled:
            self.law = law
        return _chosen(candidates, score, len(rows), threshold)

    def candidates(
        self, rows: Rows, image: npt.NDArray[Any], noise: float, flat: npt.NDArray[np.float32]
    ) -> tuple[Candidates, Noise]:
        """Return the candidates of a whole image, and its noise. Parameters as of `score_image`."""
        extrapolate_background(image, noise, self._radius, flat)
        if self._sign < 0:
            np.negative(flat, out=flat)
        return of_image(rows, flat, self._filters, self._sign * noise, self._threads)


def _chosen(candidates: Candidates, score: npt.NDArray[np.float64], found: int, threshold: float) -> Rows:
    """Return the rows of candidates above the threshold; the first `found` are sorted, and stay so."""
    chosen = np.flatnonzero(score >= threshold)
    if len(chosen) and chosen[-1] >= found:
        chosen = chosen[np.lexsort((candidates.rows["x"][chosen], candidates.rows["y"][chosen]))]
    rows = np.zeros(len(chosen), ROW)  # padding too: rows are sent and compared as bytes
    _copy(candidates.rows, score, chosen, rows)
    return rows


@njit
def _copy(rows: Any, score: Any, chosen: Any, into: Any) -> None:
    for k in range(len(chosen)):
        into[k] = rows[chosen[k]]
        into[k]["score"] = score[chosen[k]]
