"""Converts the times of a device to the clock of the process."""

from __future__ import annotations

from math import gcd
from typing import ClassVar

__all__ = ["PictureClock"]

_TOLERANCE_NS = 5_000_000  # a time farther off is wrong, or the device's clock was set
_RATE_TOLERANCE = 0.1
_COARSE_NS = 1_000_000
_MIN_BETWEEN_JUMPS = 8  # pictures, on average: a clock that is set more often is none


class PictureClock:
    """A clock that stamps pictures, compared with the clock of `time.perf_counter_ns`.

    A picture arrived after the buffer was last found empty, and before it was taken: where the reader keeps up, these
    bounds are 0.1 ms apart, and the offset of the clock is corrected to lie within them. So it follows the drift, and a
    clock that was set. Where the reader was held up, the bounds are wide, and the offset holds.
    """

    TRIAL: ClassVar[int] = 32
    """Pictures that were not held up, after which the clock is judged."""

    def __init__(self) -> None:
        self.is_tried = False
        """Whether enough pictures have come to judge it."""
        self.is_usable = False
        """Whether its times are those of the pictures, as far as it was tried."""
        self.is_fine = False
        """Whether it was tried, is usable, and has steps of less than 1 ms."""
        self._offset_ns: int | None = None
        self._expected_ns: int | None = None
        self._off = False  # the last time was, too
        self._jumps = self._converted = 0
        self._pictures = self._stuck = self._step_ns = 0
        self._first: tuple[int, int] | None = None  # of the trial: device, process
        self._device_ns: int | None = None  # of the last picture
        self._of_another_rate = False

    def expect(self, offset_ns: int) -> None:
        """Begin with this offset, process minus device."""
        self._expected_ns = self._offset_ns = offset_ns

    def restart(self) -> None:
        """Begin again with the next picture: the device counts from 0."""
        self._offset_ns, self._first, self._device_ns = self._expected_ns, None, None
        self._pictures = self._stuck = self._step_ns = self._jumps = self._converted = 0
        self._of_another_rate = self.is_tried = self.is_usable = self.is_fine = False

    def convert(self, device_ns: int | None, earliest_ns: int, latest_ns: int, *, fresh: bool) -> int | None:
        """Return when a picture arrived that the device stamped with `device_ns`; None if that cannot be found out.

        It arrived between `earliest_ns` and `latest_ns`; `fresh` if it was not held up.
        """
        if device_ns is None:
            return None
        if fresh and not self.is_tried:
            self._try(device_ns, latest_ns)
        self._device_ns = device_ns
        self._converted += 1
        exact = latest_ns - earliest_ns <= _TOLERANCE_NS
        if self._offset_ns is None:
            self._offset_ns = latest_ns - device_ns
            return latest_ns if exact else None
        time_ns = device_ns + self._offset_ns
        within_ns = min(max(time_ns, earliest_ns), latest_ns)
        error_ns = within_ns - time_ns
        if abs(error_ns) <= _TOLERANCE_NS:
            self._off = False
            self._offset_ns += error_ns
            return within_ns
        if not exact:  # the camera's own thread may have been held up, but not for longer than the reader
            return within_ns if abs(error_ns) <= latest_ns - earliest_ns else None
        if self._off:  # and so was the one before
            self._offset_ns += error_ns
            self._jumps += 1
            self._judge()
        self._off = not self._off
        return within_ns

    @property
    def description(self) -> str:
        """Its steps, or why it is not usable."""
        if not self._pictures:
            return "missing"
        if 2 * self._stuck >= self._pictures:
            return "constant"
        if not self.is_usable:
            return "of another rate"
        return f"in steps of {self._step_ns * 1e-6:g} ms"

    def _try(self, device_ns: int, now_ns: int) -> None:
        self._pictures += 1
        if self._device_ns is None or self._first is None:
            self._first = device_ns, now_ns
        else:
            step_ns = device_ns - self._device_ns
            self._stuck += step_ns == 0
            self._step_ns = gcd(self._step_ns, abs(step_ns))
            if self._pictures == self.TRIAL:
                self.is_tried = True
                elapsed_ns = now_ns - self._first[1]
                error_ns = abs(device_ns - self._first[0] - elapsed_ns)
                self._of_another_rate = error_ns > _RATE_TOLERANCE * elapsed_ns + 2 * _TOLERANCE_NS
        self._judge()

    def _judge(self) -> None:
        settled = 2 * self._stuck < self._pictures and _MIN_BETWEEN_JUMPS * (self._jumps - 1) <= self._converted
        self.is_usable = settled and not self._of_another_rate
        self.is_fine = self.is_tried and self.is_usable and self._step_ns < _COARSE_NS
