"""Make the README's pictures of the window from the simulated camera: `python docs/make_screens.py`.

An engine runs in a process of its own and a window beside it, as in `livetrack demo`; the script does with the window
what a person would, and keeps what is seen. Without a display nothing is shown. Takes about a minute.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from livetrack.overlay import display_problem

if display_problem():
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pyqtgraph

from livetrack.client import StatusSubscriber
from livetrack.config import ViewSettings
from livetrack.overlay.qt import QtCore
from livetrack.overlay.window import Window

DOCS = Path(__file__).parent
SIZE = 1440, 1000
SCENE = {"fps": 30, "drift_um_s": [0.0, 0.0], "seed": 4}
MOVIE_FPS, MOVIE_SECONDS, MOVIE_WIDTH = 10, 6, 960


def main() -> None:
    """Write window.png, window-zoom.png and demo.webp beside this file, or into the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DOCS, help="where to (default: beside this file)")
    folder = parser.parse_args().folder
    app = pyqtgraph.mkQApp("livetrack")
    app.setStyle("Fusion")
    with engine() as address, opened(address) as window:
        run_until(lambda: shown_rows(window) is not None, 60)
        run(12)  # some history for the graphs
        window.choose(longest_seen(window))
        run(6)
        save(window, folder / "window.png")
        movie(window, folder / "demo.webp")
        zoom_in(window)
        save(window, folder / "window-zoom.png")


def zoom_in(window: Window) -> None:
    """Go near the chosen particle, with other colours, ids and the light palette."""
    row = next(row for row in shown_rows(window) if row["id"] == window.body.pane.trace.number)
    window.bar.keys["light"].setChecked(True)
    window.bar.keys["labels"].setChecked(True)
    window.body.picture.lookup.setCurrentText("inferno")
    window.body.view.view_box.setRange(QtCore.QRectF(float(row["x"]) - 12, float(row["y"]) - 9, 24, 18))
    run(2)


def movie(window: Window, path: Path) -> None:
    """Write an animated picture of what goes on."""
    frames = []
    for _ in range(MOVIE_FPS * MOVIE_SECONDS):
        run(1 / MOVIE_FPS)
        picture = picture_of(window)
        frames.append(picture.resize((MOVIE_WIDTH, round(MOVIE_WIDTH * picture.height / picture.width))))
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=1000 // MOVIE_FPS, loop=0, quality=45, method=6
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def save(window: Window, path: Path) -> None:
    """Write what is seen."""
    picture_of(window).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def picture_of(window: Window) -> Image.Image:
    """Return the window as it is seen."""
    data = QtCore.QByteArray()
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    window.grab().save(buffer, "PNG")
    return Image.open(io.BytesIO(data.data())).convert("RGB")


def longest_seen(window: Window) -> int:
    """Return the trajectory that has been there for longest, of those that are there and not at the edge."""
    updates = window.received.history.all()
    width, height = updates[-1].width, updates[-1].height
    rows = updates[-1].particles
    inside = (np.abs(rows["x"] / width - 0.5) < 0.3) & (np.abs(rows["y"] / height - 0.5) < 0.3)
    seen = np.concatenate([update.particles["id"] for update in updates])
    return max(rows["id"][inside].tolist(), key=lambda number: int((seen == number).sum()))


def shown_rows(window: Window) -> np.ndarray | None:
    """Return the newest particles."""
    update = window.received.history.at(None)
    return None if update is None else update.particles


@contextmanager
def engine() -> Iterator[str]:
    """Run the demo's engine; yield its address."""
    port = 20_000 + os.getpid() % 20_000
    keys = ("address", "preview_address", "command_address")
    addresses = {key: f"tcp://127.0.0.1:{port + n}" for n, key in enumerate(keys)}
    settings = [f"--set=publish.{key}={address}" for key, address in addresses.items()]
    settings += [f"--set=camera.simulated.{key}={value}" for key, value in SCENE.items()]
    process = subprocess.Popen([sys.executable, "-m", "livetrack", "demo", "--headless", *settings])
    try:
        with StatusSubscriber(addresses["address"]) as beats:
            if beats.receive(60) is None:
                raise SystemExit("the engine does not start")
        yield addresses["address"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def opened(address: str) -> Iterator[Window]:
    """Open a window that remembers nothing."""
    with tempfile.TemporaryDirectory() as folder:
        store = QtCore.QSettings(str(Path(folder) / "store.ini"), QtCore.QSettings.Format.IniFormat)
        store.setValue("guide/seen", True)
        window = Window(address, ViewSettings(), folder=Path(folder), store=store)
        window.resize(*SIZE)
        window.show()
        try:
            yield window
        finally:
            window.close()


def run(seconds: float) -> None:
    """Let the window do what it does."""
    run_until(lambda: False, seconds)


def run_until(condition: Callable[[], bool], seconds: float) -> None:
    """Let the window do what it does until `condition`, for `seconds` at most."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not condition():
        pyqtgraph.QtWidgets.QApplication.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
