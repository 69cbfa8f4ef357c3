"""What the commands that train have in common: progress bars, and the check of what must be installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from livetrack.cli.terminal import ProgressBars
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.training import Progress as TrainingProgress

__all__ = ["TrainingBars", "check_installed"]


class TrainingBars(ProgressBars):
    """Progress bars of a training; `show` takes its progress."""

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
        super().__init__(*columns, console=console)
        self._task: TaskID | None = None

    def show(self, progress: TrainingProgress) -> None:
        """Show the progress after a step, and print the accuracy when it has been measured."""
        if self._task is None:
            self._task = self.add_task("training", total=1.0)
            if progress.step > 1:
                self.print(
                    f"continuing the interrupted training after step {progress.step - 1}; --restart starts from scratch"
                )
        description = f"training, step {progress.step}, loss {progress.loss:.3f}"
        self.update(self._task, completed=progress.fraction, description=description)
        if progress.accuracy is not None and progress.isolated is not None:
            from livetrack.training.card import accuracy_line, precision_line

            quality = f"{accuracy_line(progress.accuracy)} {precision_line(progress.isolated)}"
            self.print(f"{progress.elapsed_s / 60:.1f} min, step {progress.step}: {quality}")


def check_installed() -> None:
    """Raise a `UsageError` if a package that training needs is not installed; imports none of them."""
    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"training needs {' and '.join(missing)}, not installed here: python -m pip install 'livetrack[train]'"
        )
