"""The camera's own frame numbers: what is lost, delivered twice, late, restarted or absurd."""

from __future__ import annotations

from operator import index

__all__ = ["FrameNumbers"]

_MAX = 2**63 - 1  # as on the wire and in files
_JUMP = 1000  # a gap this large counts once the next number continues from it
_COUNTERS = (1 << 16, 1 << 32)  # GigE Vision 1 counts to 65,535, many drivers in 32 bits
_WRAP_MARGIN = 100  # a counter this close to its end wraps around, else a step back is a restart


class FrameNumbers:
    """Counts lost and repeated frames by the numbers of a camera.

    A step back, or a jump of 1000 and more, is believed once the next number continues from it: then the counter has
    restarted, or as many frames are lost. If the next number continues from before, the odd one was wrong. A number
    that was missing and comes late is no longer lost, and a frame without a right number fills a gap. A counter of 16
    or 32 bits may wrap around.

    Attributes
    ----------
    lost, repeated, wrong
        Counts so far.
    """

    def __init__(self) -> None:
        self.lost = self.repeated = self.wrong = 0
        self._last: int | None = None
        self._before: int | None = None  # the number before `_last`, if `_last` does not continue from it
        self._jump = 0  # frames lost before `_last`, if it is believed
        self._missing: set[int] = set()
        self._unnumbered = 0  # frames since `_last` without a right number

    def restart(self) -> None:
        """Start over with the next number: the camera was opened again."""
        self._last = self._before = None
        self._jump = self._unnumbered = 0
        self._missing.clear()

    def check(self, number: object) -> int | None:
        """Return the number as an int; None if the camera gives none, or a wrong one, which is counted."""
        if number is None:
            self._unnumbered += 1
            return None
        try:
            value = index(number)  # type: ignore[arg-type]  # also of NumPy
        except TypeError:
            value = -1
        if 0 <= value <= _MAX:
            return value
        self.wrong += 1
        self._unnumbered += 1
        return None

    def count(self, number: int) -> int:
        """Count the next frame; return the steps from the last one: 0 if it is the same frame again, 1 if unclear."""
        last, self._last = self._last, number
        if last is None:
            return 1
        if number == last:
            self.repeated += 1
            return 0
        gap = _gap(last, number)
        if self._before is not None:
            before, self._before = self._before, None
            old_gap = -1 if number == before else _gap(before, number)
            if old_gap is not None and old_gap < _JUMP and (gap is None or old_gap < gap):
                self.wrong += 1
                self._unnumbered += 1
                return self._lose(before, number, old_gap)
            self.lost += self._jump
            self._missing.clear()
        if number in self._missing:
            self._missing.remove(number)
            self.lost -= 1
            self._last = last
            return 1
        if gap is None or gap >= _JUMP:
            self._before, self._jump = last, gap or 0
            return 1
        return self._lose(last, number, gap)

    def _lose(self, last: int, number: int, gap: int) -> int:
        if gap < 0:
            self.repeated += 1
            return 0
        filled, self._unnumbered = min(gap, self._unnumbered), 0
        if gap > filled:
            self.lost += gap - filled
            if len(self._missing) > _JUMP:
                self._missing.clear()
            self._missing.update(range(last + 1 + filled, number))  # none if the counter has wrapped around
        return gap - filled + 1


def _gap(last: int, number: int) -> int | None:
    """Return how many numbers are missing in between; None for a step back."""
    if number > last:
        return number - last - 1
    for counter in _COUNTERS:
        if counter - _WRAP_MARGIN <= last < counter and number < _WRAP_MARGIN:
            return max(number + counter - last - 1 - (number > 0), 0)  # GigE Vision leaves out 0
    return None
