"""A window that draws given frames, without an engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livetrack.bench.viewer.scene import Frame
from livetrack.config import ViewSettings
from livetrack.viewer.data.streams import StreamBatch
from livetrack.viewer.qt import QtCore
from livetrack.viewer.window import Window

__all__ = ["SIDE", "WindowHarness", "window_harness"]

SIDE = 1000
"""Side of the viewport, px."""


class WindowHarness:
    """A window and the source of its frames."""

    def __init__(self, window: Window, feed: _Feed) -> None:
        self.window = window
        self._feed = feed

    def feed(self, next_frame: Callable[[], Frame]) -> None:
        """Draw the frame returned by `next_frame` at each refresh."""
        self._feed.next_frame = next_frame


@contextmanager
def window_harness(app: Any, fps: float) -> Iterator[WindowHarness]:
    """Open a window with all panels and a viewport of `SIDE` x `SIDE` px; it refreshes `fps` times per second."""
    with tempfile.TemporaryDirectory() as folder:
        store = QtCore.QSettings(str(Path(folder) / "store.ini"), QtCore.QSettings.Format.IniFormat)
        store.setValue("tour/seen", True)
        window = Window("tcp://127.0.0.1:9", ViewSettings(fps=fps), folder=Path(folder), store=store)
        feed = _Feed()
        window.frame_presenter.streams.close()
        window.frame_presenter.streams = feed  # type: ignore[assignment]  # a stand-in
        window.show()
        for _ in range(2):  # the panels around the image keep their size
            view = window.central.view
            window.resize(window.width() + SIDE - view.width(), window.height() + SIDE - view.height())
            app.processEvents()
        try:
            yield WindowHarness(window, feed)
        finally:
            window.close()


class _Feed:
    """Stands in for `livetrack.viewer.data.streams.EngineStreams`."""

    def __init__(self) -> None:
        self.next_frame: Callable[[], Frame] | None = None

    def read(self) -> StreamBatch:
        if self.next_frame is None:
            return StreamBatch([], None, None, "")
        frame = self.next_frame()
        return StreamBatch([frame.update], frame.preview, None, "")

    def preview_waiting(self) -> bool:
        return self.next_frame is not None

    def request_full_resolution(self, on: bool) -> None:
        pass

    def close(self) -> None:
        pass
