"""The command line as a user types it, in processes of its own."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas
import pytest
import tifffile
import zmq
from rich.console import Console

from livetrack.camera import Frame, Geometry
from livetrack.cli import COMMANDS, main
from livetrack.cli.terminal import ProgressBars, make_console, spinner
from livetrack.cli.window import WindowProcess
from livetrack.config import ViewSettings
from livetrack.particles import empty_rows
from livetrack.record import Recorder, read_session
from livetrack.record.pages import PageWriter
from livetrack.table import COLUMNS
from livetrack.tracker import Tracker
from livetrack.wire import PositionsEncoder, Preview, Status, encode_preview, encode_status

ROOT = Path(__file__).parents[1]
ANY_PORT = [f"--set=publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]


def livetrack(*arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "livetrack", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def spots(centres: list[tuple[float, float]], shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Spots of sigma 1.3 px and 300 grey levels on 100, noise 10, each pixel's integral by the error function.

    Written here on purpose: a half-pixel error in `livetrack.optics` would pass unseen otherwise.
    """

    def across(length: int, centre: float) -> np.ndarray:
        edges = (np.arange(length + 1) - 0.5 - centre) / (1.3 * math.sqrt(2))
        return np.diff([math.erf(edge) for edge in edges]) / 2

    image = 100 + rng.normal(0, 10, shape)
    for x, y in centres:
        image += 300 * 2 * math.pi * 1.3**2 * np.outer(across(shape[0], y), across(shape[1], x))
    return image.clip(0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three spots that move steadily for 12 frames; the third one is gone from frame 8 on."""
    rng = np.random.default_rng(5)
    frames = [
        spots([(20 + t * 0.7, 30.3), (60.25, 50 - t * 0.5), (90.5, 20.5)][: 3 if t < 8 else 2], (64, 112), rng)
        for t in range(12)
    ]
    path = tmp_path_factory.mktemp("movie") / "spots.tif"
    tifffile.imwrite(path, np.array(frames), photometric="minisblack")
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_track_writes_the_table_that_trackpy_reads(movie: Path, tmp_path: Path, ending: str) -> None:
    output, figures = tmp_path / f"tracks.{ending}", tmp_path / "figures.json"
    done = livetrack("track", movie, "-o", output, "--json", figures)
    assert done.returncode == 0, done.stderr
    table = pandas.read_csv(output) if ending == "csv" else pandas.read_parquet(output)
    assert list(table.columns[:8]) == ["frame", "particle", "y", "x", "y_std", "x_std", "intensity", "score"]
    assert table.groupby("particle").size().sort_values().tolist() == [8, 12, 12]
    first = table[table.particle == table[table.frame == 0].sort_values("x").particle.iloc[0]].sort_values("frame")
    np.testing.assert_allclose(first.x, 20 + 0.7 * np.arange(12), atol=0.15)
    np.testing.assert_allclose(first.y, 30.3, atol=0.15)
    summary = json.loads(figures.read_text())
    assert (summary["frames"], summary["particles"], summary["trajectories"]) == (12, 32, 3)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["track", "nowhere.tif", "-o", "tracks.csv"], "nowhere.tif: there is no such file"),
        (["track", "MOVIE", "-o", "tracks.xls"], ".csv"),
        (["track", "MOVIE", "-o", "no/such/folder/tracks.csv"], "folder"),
        (["track", "MOVIE", "-o", "tracks.csv", "--model", "spit"], "did you mean spot?"),
        (["track", "MOVIE", "-o", "tracks.csv", "--set", "linker.memory=-1"], "--set linker.memory"),
        (["run", "nowhere.toml"], "nowhere.toml: no such file"),
        (["run", "MOVIE"], "to track a movie use `livetrack track`"),
        (["run", "--headless", "--set", "camera.driver=webcam"], "installed: micromanager, movie, simulated"),
        (["run", "--headless", "--set", "camera.driver=movie", *ANY_PORT], "camera.movie: path is empty"),
        (["listen", "localhost"], "not an address to connect to"),
        (["listen", "tcp://no..where:5555"], "unknown host 'no..where'"),
        (["check", "nowhere.tif"], "nowhere.tif"),
        (["train", "nowhere.toml", "-o", "x.onnx"], "nowhere.toml"),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_2(
    movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    arguments: list[str], expected: str,
) -> None:  # fmt: skip
    if arguments[0] == "train":
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    code = main([str(movie) if argument == "MOVIE" else argument for argument in arguments])
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("settings: ")]
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("livetrack: ")
    assert expected in lines[0]
    assert not list(tmp_path.iterdir()), "something half-written was left"


def test_a_value_that_is_not_a_number_is_rejected(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("soon", "-1", "nan"):
        with pytest.raises(SystemExit) as caught:
            main(["demo", f"--seconds={text}"])
        assert caught.value.code == 2
        assert f"'{text}' is not a positive number" in capfd.readouterr().err


def test_a_file_name_that_is_not_utf_8_is_rejected(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["track", "movie\udcff.tif", "-o", "tracks.csv"])
    assert caught.value.code == 2
    assert r"'movie\udcff.tif' is not valid UTF-8; rename the file or folder" in capfd.readouterr().err


def test_ctrl_c_keeps_the_tracks_so_far_and_prints_where_they_are(
    movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    update, frames = Tracker.update, iter(range(12))

    def interrupted(self: Tracker, *arguments: Any) -> Any:
        if next(frames) == 5:
            raise KeyboardInterrupt
        return update(self, *arguments)

    monkeypatch.setattr(Tracker, "update", interrupted)
    assert main(["track", str(movie), "-o", str(tmp_path / "tracks.csv")]) == 130
    partial = tmp_path / "tracks.partial.csv"
    assert [file.name for file in tmp_path.iterdir()] == [partial.name]
    assert f"the tracks so far are in {partial}" in capfd.readouterr().err
    assert sorted(set(pandas.read_csv(partial).frame)) == [0, 1, 2, 3, 4]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process alone there")
def test_ctrl_c_works_while_kernels_are_compiled(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "livetrack", "demo", "--headless", "--seconds=1", *ANY_PORT]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}  # empty: all kernels, half a minute
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "compiling, once on this machine" not in (line := process.stderr.readline()):
            assert line.startswith("warming up")
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""  # neither "ready", nor a traceback
    assert process.returncode == 130


def test_without_a_terminal_progress_is_printed_as_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.cli.terminal._FIRST_LINE_S", 0.05)
    monkeypatch.setattr("livetrack.cli.terminal._LINE_INTERVAL_S", 0.05)
    log = Console(file=io.StringIO())
    assert isinstance(log.file, io.StringIO)
    with spinner(log, "waiting") as show:
        time.sleep(0.3)  # printed once
        show("done")
        time.sleep(0.3)
    with ProgressBars(console=log) as bars:
        task = bars.add_task("counting", total=4)
        time.sleep(0.06)
        bars.update(task, advance=1)
    assert log.file.getvalue() == "waiting\ndone\ncounting: 25 %\n"


def record(folder: Path, images: list[np.ndarray], **options: Any) -> Path:
    """Record images; from the fourth on the ROI begins 40 px further to the right."""
    recorder = Recorder(folder, **options)
    for index, image in enumerate(images):
        roi = Geometry(64, 64, x_origin=40 * (index > 3))
        pixels = image[:, roi.x_origin : roi.x_origin + 64]
        recorder.offer_frame(Frame(pixels, index, index, index, None, index / 10, roi, int(index > 3)))
    recorder.close()
    return recorder.folder


def test_in_a_session_tracks_end_where_the_roi_moves(
    movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livetrack.cli.terminal._LINE_INTERVAL_S", 0)
    session = record(tmp_path, list(tifffile.imread(movie)[:8]))
    assert main(["track", str(session), "-o", str(tmp_path / "tracks.csv")]) == 0
    table = pandas.read_csv(tmp_path / "tracks.csv")
    before, after = (set(part.particle) for _, part in table.groupby(table.frame > 3))
    assert before
    assert after
    assert not before & after
    assert "tracking, 2 particles: 100 %" in capfd.readouterr().err  # the number of frames is known


def test_a_session_without_images_cannot_be_tracked(
    movie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = record(tmp_path, list(tifffile.imread(movie)), frames=False)
    assert main(["track", str(session), "-o", str(tmp_path / "tracks.csv")]) == 2
    assert "contains no frames to track" in capfd.readouterr().err
    assert not list(tmp_path.glob("*.csv"))


def test_a_channel_can_be_chosen(movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = tifffile.imread(movie)
    both = np.stack([np.full_like(first, 100), first], axis=1)
    tifffile.imwrite("two.ome.tif", both, ome=True, photometric="minisblack", metadata={"axes": "TCYX"})
    assert main(["track", "two.ome.tif", "-o", "tracks.csv"]) == 2
    assert main(["track", "two.ome.tif", "-o", "tracks.csv", "--channel", "1"]) == 0
    assert len(pandas.read_csv("tracks.csv")) == 32
    assert main(["check", "two.ome.tif", "--channel", "1", "--json", "check.json"]) == 0
    assert json.loads(Path("check.json").read_text())["channel"] == 1


def test_a_missing_output_folder_is_reported_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["models", "--json", str(tmp_path / "no" / "figures.json")])
    assert caught.value.code == 2
    output = capfd.readouterr()
    assert f"there is no folder {tmp_path / 'no'}" in output.err
    assert output.out == ""


def test_a_damaged_movie_is_reported_once(movie: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.tif"
    short.write_bytes(movie.read_bytes()[:60_000])
    done = livetrack("track", short, "-o", tmp_path / "tracks.csv")
    assert done.returncode == 0
    assert done.stderr.count("the file is truncated") == 1
    assert "the file is truncated" in done.stderr.splitlines()[-1]


def test_a_folder_of_recordings_given_as_a_movie_gets_a_hint(
    movie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = record(tmp_path, list(tifffile.imread(movie)[:4]))
    for command in (["check"], ["track", "-o", str(tmp_path / "tracks.csv")]):
        assert main([*command, str(tmp_path)]) == 2
        assert f"contains 1 recording; choose one: {session}" in capfd.readouterr().err


def test_without_a_settings_file_the_defaults_are_used_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert "defaults, simulated camera (no config.toml in this folder): valid" in capfd.readouterr().out
    Path("config.toml").write_text("[linker]\nmemory = -1\n")
    assert main(["run"]) == 2
    Path("config.toml").write_text("[view]\nopen = false\n")
    assert main(["run", "--seconds=0.2", *ANY_PORT]) == 0
    assert "settings: config.toml\n" in capfd.readouterr().err


def test_a_session_that_was_never_closed_is_reported_at_the_end(
    movie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = record(tmp_path, list(tifffile.imread(movie)[:4]))
    info = json.loads((session / "session.json").read_text())
    del info["ended"]
    (session / "session.json").write_text(json.dumps(info))
    assert main(["track", str(session), "-o", str(tmp_path / "tracks.csv")]) == 0
    assert "it was not closed; its end may be missing" in capfd.readouterr().err.splitlines()[-1]


def test_a_recording_that_stops_early_gives_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(PageWriter, "append", refuse)
    handler = signal.getsignal(signal.SIGINT)
    assert main(["demo", "--headless", "--seconds=0.5", f"--record={tmp_path}", *ANY_PORT]) == 1
    error = capfd.readouterr().err
    assert re.search(r"\nincomplete: \d+ of \d+ frames are not recorded: the disk is gone \(", error)
    (folder,) = tmp_path.iterdir()
    assert "the disk is gone" in read_session(folder).problem
    assert not read_session(folder).discrepancies()
    assert main(["track", str(folder), "-o", str(tmp_path / "tracks.csv")]) == 2  # no frames
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_does_not_reach_a_window_which_ends_with_its_session(capfd: pytest.CaptureFixture[str]) -> None:
    status: Any = None
    with (
        contextlib.suppress(KeyboardInterrupt),
        WindowProcess("tcp://127.0.0.1:5999", ViewSettings(), make_console()) as window,
    ):
        process = window._process
        window.on_status(status)
        assert capfd.readouterr().err == ""
        if sys.platform != "win32":
            assert os.getpgid(process.pid) != os.getpgid(0)
        raise KeyboardInterrupt
    assert process.returncode is not None
    for _ in range(2):
        window.on_status(status)
    assert capfd.readouterr().err.count("; tracking continues (Ctrl-C stops)") == 1


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("", "window closed; tracking continues"),
        ("raise SystemExit(3)", "the window ended with exit code 3; tracking continues"),
        pytest.param(
            "os.kill(os.getpid(), 9)",
            "the window was killed by SIGKILL; tracking continues",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no signals there"),
        ),
    ],
)
def test_how_a_window_ended_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], end: str, message: str
) -> None:
    start, status = subprocess.Popen, cast(Status, None)
    monkeypatch.setattr(
        subprocess, "Popen", lambda _, **apart: start([sys.executable, "-c", f"import os; {end}"], **apart)
    )
    with WindowProcess("tcp://127.0.0.1:5999", ViewSettings(), make_console()) as window:
        window._process.wait(30)
        for _ in range(2):
            window.on_status(status)
    assert capfd.readouterr().err.count(message) == 1


def test_the_summary_explains_why_most_frames_were_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    update = Tracker.update

    def slow(self: Tracker, *arguments: Any, **options: Any) -> Any:
        rows = update(self, *arguments, **options)
        time.sleep(0.1)
        self.t_localized_ns = self.t_linked_ns = time.perf_counter_ns()
        return rows

    small = [f"--set=camera.simulated.{size}=64" for size in ("width", "height")]
    figures = tmp_path / "figures.json"
    monkeypatch.setattr(Tracker, "update", slow)
    assert main(["demo", "--headless", "--seconds=1", f"--json={figures}", *small, *ANY_PORT]) == 0
    assert re.search(r"tracking takes \d{3,}\.\d ms per frame and the camera sends one", capfd.readouterr().err)
    assert not {"header", "rows"} & json.loads(figures.read_text()).keys()


def test_listening_without_an_engine_fails_with_a_hint(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "tcp://127.0.0.1:5999", "--timeout", "0.2"]) == 1
    assert "is an engine running there?" in capfd.readouterr().err


@contextlib.contextmanager
def sending(messages: list[bytes]) -> Iterator[str]:
    """Send the messages in turn, over and over, slowly; yield the address."""
    stop = threading.Event()
    socket = zmq.Context.instance().socket(zmq.PUB)
    socket.bind("tcp://127.0.0.1:*")

    def send() -> None:
        for message in itertools.cycle(messages):
            socket.send(message)
            if stop.wait(0.15):
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
    finally:
        stop.set()
        thread.join()
        socket.close(linger=0)


def test_listening_reports_an_engines_end_and_its_return(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livetrack.cli.position_stream._POLL_S", 0.05)
    first, second = (bytes(PositionsEncoder(session).encode(empty_rows(1))) for session in (1, 2))
    over = Status(
        session=1, state="stopped", message="", camera="", model="", provider="", preview_address="", uptime_s=0,
        camera_fps=0, tracked_fps=0, received=0, tracked=0, skipped=0, lost=0, particles=0, latency_us={},
    )  # fmt: skip
    with sending([first, encode_status(over), second]) as address:
        assert main(["listen", address, "--seconds=2", "--csv"]) == 0
    output, errors = capfd.readouterr()
    assert "the engine's session has been stopped" in errors
    assert "the engine was restarted" in errors
    table = pandas.read_csv(io.StringIO(output))
    assert set(table.columns) < set(COLUMNS)  # under the names that files have
    assert table["particle"].unique().tolist() == [-1]


def test_listening_to_the_preview_address_gives_a_hint(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livetrack.cli.position_stream._POLL_S", 0.05)
    monkeypatch.setattr("livetrack.cli.position_stream._SILENCE_S", 0.2)
    with sending([encode_preview(Preview(1, 0, 1, np.zeros((4, 4), np.uint8)))]) as address:
        assert main(["listen", address]) == 1
    errors = capfd.readouterr().err
    assert f"nothing received from {address}, still waiting; is an engine running there?" in errors
    assert "is an engine's publish.preview_address" in errors


def test_models_and_cameras_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listed = capfd.readouterr().out
    assert all(name in listed for name in ("spot", "bead", "centroid", "radial_symmetry"))
    assert main(["cameras"]) == 0
    listed = capfd.readouterr().out
    assert all(name in listed for name in ("micromanager", "movie", "simulated", "exposure_ms"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "livetrack", "cameras"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "livetrack: the disk is full\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe gives another error there")
def test_a_closed_output_pipe_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "livetrack", "cameras"], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "module",
    ["livetrack", "livetrack.client", "livetrack.wire", "livetrack.control", "livetrack.calibrate", "livetrack.cli"],
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    """A feedback program starts at once, and so does `livetrack --help`."""
    check = f"import sys, {module}; print(sorted(name.partition('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    heavy = ("numba", "onnxruntime", "PySide6", "pyqtgraph", "torch", "pyarrow", "rich", "av", "tifffile", "scipy")
    assert not [name for name in heavy if f"'{name}'" in loaded]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_the_chosen_command_only_and_nothing_heavy(command: str) -> None:
    code = f"import sys; from livetrack.cli import main\ntry: main({[command, '--help'] if command else ['--help']})"
    code += "\nexcept SystemExit as end: print(end.code, *sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = output.splitlines()[-1]
    exit_code, *modules = loaded.split()
    assert exit_code == "0"
    assert output.startswith(f"usage: livetrack {command}".rstrip())
    assert [name for name in COMMANDS if f"livetrack.cli.{name}" in modules] == [command] * bool(command)
    heavy = {"numba", "onnxruntime", "PySide6", "pyqtgraph", "torch", "pyarrow", "av", "tifffile", "scipy"}
    assert not heavy & set(modules)
    assert command or "numpy" not in modules


def test_the_packages_exports_exist_and_are_sorted() -> None:
    import livetrack

    assert livetrack.__all__ == sorted(livetrack.__all__)
    assert all(getattr(livetrack, name) is not None for name in livetrack.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        livetrack.nothing  # noqa: B018


def test_the_readme_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = [
        line.split()[0]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("    ") and not line.startswith("     ")
    ]
    assert len(commands) >= 9
    assert [command for command in commands if f"livetrack {command}" not in readme] == []
