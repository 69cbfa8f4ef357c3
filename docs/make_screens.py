"""Make the screenshots of the windows in the documentation: `python docs/make_screens.py`.

The script starts the engine of the demo in a process of its own, opens a window on it, operates the window, and saves
screenshots; then it opens what the engine has recorded in the player. Without a display, the windows are drawn off
screen. It takes about a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from livetrack.viewer import display_problem

if display_problem():
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pyqtgraph

from livetrack.client import StatusSubscriber
from livetrack.config import ViewSettings, load_config
from livetrack.playback.playback import open_source, open_tracks
from livetrack.viewer.player.opening import Opened, PlayerOptions
from livetrack.viewer.player.window import PlayerWindow
from livetrack.viewer.qt import QtCore, QtGui
from livetrack.viewer.window import Window

DOCS = Path(__file__).parent
SIZE = 1440, 1000
PLAYER_SIZE = 1100, 760
SCENE = {"fps": 30, "drift_um_s": [0.0, 0.0], "seed": 4}
MOVIE_FPS, MOVIE_SECONDS, MOVIE_WIDTH = 8, 5, 900


def main() -> None:
    """Write demo.webp, window-zoom.png and howto/player.png into this folder, or into the one given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, default=DOCS, help="output folder (default: the one of this file)"
    )
    folder = parser.parse_args().folder
    app = pyqtgraph.mkQApp("livetrack")
    app.setStyle("Fusion")
    with tempfile.TemporaryDirectory() as recordings:
        make_all(folder, Path(recordings))


def make_all(folder: Path, recordings: Path) -> None:
    """Write them; the engine records into `recordings`."""
    with engine(recordings) as address, opened(address) as window:
        run_until(lambda: shown_rows(window) is not None, 60)
        run(12)  # some history for the plots
        window.select(longest_track(window))
        run(6)
        frames = movie_of(window)
        window.select(longest_track(window))
        zoom_in(window)
        zoomed = screenshot_of(window)
    save(zoomed, folder / "window-zoom.png")
    (session,) = recordings.iterdir()
    (folder / "howto").mkdir(exist_ok=True)
    save(player_on(session), folder / "howto" / "player.png")
    save(frames[0], folder / "demo.webp", save_all=True, append_images=frames[1:], duration=1000 // MOVIE_FPS, loop=0)


def player_on(session: Path) -> Image.Image:
    """Return a screenshot of the player with a recorded session, a particle of which is selected."""
    config, movie = load_config(None, []), open_source(session)
    with store() as kept:
        window = PlayerWindow(PlayerOptions(config), folder=session, store=kept)
        window.resize(*PLAYER_SIZE)
        window.show()
        try:
            window.show_movie(Opened(session, movie, open_tracks(session, movie, config)), playing=False)
            window.seek(2 * window.last() // 3)
            run_until(lambda: window.presenter.update is not None, 60)
            window.player_actions["labels"].setChecked(True)
            rows = window.presenter.update.particles
            centre = np.hypot(rows["x"] - movie.shape[1] / 2, rows["y"] - movie.shape[0] / 2)
            window.select(int(rows["id"][centre.argmin()]))
            run(0.5)
            return screenshot_of(window)
        finally:
            window.close()


def zoom_in(window: Window) -> None:
    """Zoom in on the selected particle, with another colour map, ids and the light theme."""
    window.viewer_actions["light"].setChecked(True)
    window.viewer_actions["labels"].setChecked(True)
    window.central.image_panel.colormap.setCurrentText("inferno")
    run(0.5)
    window.viewer_actions["freeze"].setChecked(True)
    place = window.central.view.selection.pos()
    window.central.view.center_on(place.x(), place.y(), 24)
    run(0.5)


def movie_of(window: Window) -> list[Image.Image]:
    """Return screenshots of the running window."""
    frames = []
    for _ in range(MOVIE_FPS * MOVIE_SECONDS):
        run(1 / MOVIE_FPS)
        frames.append(screenshot_of(window))
    size = MOVIE_WIDTH, round(MOVIE_WIDTH * frames[0].height / frames[0].width)
    return [frame.resize(size) for frame in frames]


def save(image: Image.Image, path: Path, **options: Any) -> None:
    """Write an image as a small file."""
    if path.suffix == ".webp":
        image.save(path, quality=32, method=4, **options)
    else:
        image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def screenshot_of(window: Window | PlayerWindow) -> Image.Image:
    """Return a screenshot of the window, which must show no banner."""
    if text := window.central.banner.text():
        raise SystemExit(f"nothing is saved, because a banner is shown: {text}")
    image = window.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGBX8888)
    return Image.frombuffer("RGBX", (image.width(), image.height()), bytes(image.constBits())).convert("RGB")


def longest_track(window: Window) -> int:
    """Return the track with the most positions, of those in the middle of the newest frame."""
    updates = window.session_data.history.all()
    width, height = updates[-1].width, updates[-1].height
    rows = updates[-1].particles
    inside = (np.abs(rows["x"] / width - 0.5) < 0.3) & (np.abs(rows["y"] / height - 0.5) < 0.3)
    ids = np.concatenate([update.particles["id"] for update in updates])
    return max(rows["id"][inside].tolist(), key=lambda track_id: int((ids == track_id).sum()))


def shown_rows(window: Window) -> np.ndarray | None:
    """Return the rows of the newest frame."""
    update = window.session_data.history.at(None)
    return None if update is None else update.particles


@contextmanager
def engine(recordings: Path) -> Iterator[str]:
    """Run the demo's engine, which records into a folder; yield its address."""
    port = 20_000 + os.getpid() % 20_000
    keys = ("address", "preview_address", "command_address")
    addresses = {key: f"tcp://127.0.0.1:{port + n}" for n, key in enumerate(keys)}
    settings = [f"--set=publish.{key}={address}" for key, address in addresses.items()]
    settings += [f"--set=camera.simulated.{key}={value}" for key, value in SCENE.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "livetrack", "demo", "--headless", f"--record={recordings}", *settings]
    )
    try:
        with StatusSubscriber(addresses["address"]) as heartbeats:
            if heartbeats.receive(300) is None:
                raise SystemExit("the engine has not started")
        yield addresses["address"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def opened(address: str) -> Iterator[Window]:
    """Open a window without remembered state."""
    with store() as kept:
        window = Window(address, ViewSettings(), folder=Path(kept.fileName()).parent, store=kept)
        window.resize(*SIZE)
        window.show()
        try:
            yield window
        finally:
            window.close()


@contextmanager
def store() -> Iterator[QtCore.QSettings]:
    """Yield a remembered state in which the tour has been seen, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        kept = QtCore.QSettings(str(Path(folder) / "store.ini"), QtCore.QSettings.Format.IniFormat)
        kept.setValue("tour/seen", True)
        yield kept


def run(seconds: float) -> None:
    """Let the window run."""
    run_until(lambda: False, seconds)


def run_until(condition: Callable[[], bool], seconds: float) -> None:
    """Let the window run until `condition`, for at most `seconds`."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not condition():
        pyqtgraph.QtWidgets.QApplication.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
