"""Training of a model of one particle, in a process of its own."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from livetrack.viewer.qt import QtCore

__all__ = ["LearningProcess"]

MINUTES = 3.0
CROPS = 150
_KILLED_MS = 5000
_ERROR_PREFIX = "livetrack: "


class LearningProcess(QtCore.QObject):
    """`livetrack learn`, with its files in a new folder inside `folder`.

    If it is cancelled or fails, it leaves no files behind. It ends with this process, which holds its standard input.
    """

    progressed = QtCore.Signal(float, str)
    """Fraction done, 0..1, and what it is doing, or the accuracy so far."""
    finished = QtCore.Signal(str)
    """The accuracy; the model is `model`."""
    failed = QtCore.Signal(str)
    """Why, in one line."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._process: QtCore.QProcess | None = None
        self._accuracy = ""
        self.model = Path()
        """The model file of the last training."""

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._process is not None

    def start(self, address: str, track_id: int, at: tuple[float, float]) -> None:
        """Learn the particle of this track, last seen `at`, px, from the engine at `address`."""
        name = f"particle-{track_id}-{time.strftime('%Y%m%d-%H%M%S')}"
        self.model = self._folder / name / f"particle_{track_id}.onnx"
        try:
            self.model.parent.mkdir()
        except OSError as error:
            self.failed.emit(f"{self.model.parent}: cannot be created: {error.strerror}")
            return
        self._accuracy = ""
        process = self._process = QtCore.QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._not_started)
        options = [f"--output={self.model}", f"--particle={track_id}", "--at", f"{at[0]:.1f}", f"{at[1]:.1f}"]
        options += [f"--address={address}", f"--minutes={MINUTES}", f"--crops={CROPS}", "--for-window"]
        process.start(sys.executable, ["-m", "livetrack", "learn", *options])

    def cancel(self) -> None:
        """Stop the training, if one runs, and delete its files."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.waitForFinished(_KILLED_MS)
        process.deleteLater()
        self._delete_files()

    def _read(self) -> None:
        process = self._process
        while process is not None and process.canReadLine():
            line = bytes(process.readLine().data()).decode(errors="replace").strip()
            fraction, _, self._accuracy = line.partition(" ")
            self.progressed.emit(float(fraction), self._accuracy)

    def _end(self, code: int, _: QtCore.QProcess.ExitStatus) -> None:
        if self._process is None:  # cancelled
            return
        self._read()
        process, self._process = self._process, None
        errors = bytes(process.readAllStandardError().data()).decode(errors="replace").strip().splitlines()
        process.deleteLater()
        if code == 0:
            self.finished.emit(self._accuracy)
        else:
            self._delete_files()
            self.failed.emit(
                errors[-1].removeprefix(_ERROR_PREFIX) if errors else f"the training ended with code {code}"
            )

    def _not_started(self, error: QtCore.QProcess.ProcessError) -> None:
        """Report a process that could not be started; `_end` reports all other errors."""
        if error is QtCore.QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            self._delete_files()
            self.failed.emit(f"{sys.executable} cannot be started")

    def _delete_files(self) -> None:
        shutil.rmtree(self.model.parent, ignore_errors=True)
