"""Settings: config.toml equals the defaults, and each mistake gives one clear line."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from livetrack.camera import load_driver
from livetrack.config import load_config
from livetrack.errors import ConfigError
from livetrack.toml_file import assignment

ROOT_CONFIG = Path(__file__).parents[1] / "config.toml"


def test_the_documented_file_equals_the_defaults() -> None:
    assert load_config(ROOT_CONFIG) == load_config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[linker]\nmemry = 3", ":2: [linker.memry] unknown key; did you mean memory?"),
        ("[linkr]\nmemory = 3", ":1: [linkr] unknown key; did you mean linker?"),
        ("[linker]\n\n# px\nsearch_radius_px = 'five'", ":4: [linker.search_radius_px] = 'five': expected a number"),
        ("[linker]\nsearch_radius_px = -1", ":2: [linker.search_radius_px] = -1: expected a number > 0"),
        ("[linker]\nmemory = 2.5", ":2: [linker.memory] = 2.5: expected a whole number"),
        ("[localizer]\nthreshold = 1.5", ":2: [localizer.threshold] = 1.5: expected a number < 1"),
        ("[record]\nframes = 1", ":2: [record.frames] = 1: expected true or false, got a whole number"),
        ("[view]\npalette = 'pink'", ":2: [view.palette] = 'pink': expected one of 'dark', 'light'"),
        ("[view]\nfps = 0", ":2: [view.fps] = 0: expected a number > 0"),
        ("linker = 3", ":1: [linker] = 3: expected a section"),
        ("[camera]\ndriver = 'webcam'", ":2: no camera driver is called 'webcam'; installed: micromanager, movie,"),
        ("[camera]\ndriver = 3", ":2: [camera.driver] = 3: expected a text"),
        ("[camera.simulated]\nheigth = 3", ":2: [camera.simulated.heigth] unknown key; did you mean height?"),
        ("[camera.micromanager]\nexposure_ms = -5", ":2: [camera.micromanager.exposure_ms] = -5: expected a number"),
        ("[camera.simulator]\nheight = 3", ":1: [camera.simulator] unknown key; did you mean simulated?"),
        (
            "[publish]\naddress = 'tcp://0.0.0.0:5555'",
            ":2: [publish.address] = 'tcp://0.0.0.0:5555' is open to other computers without keys: make keys with",
        ),
        (
            "[publish]\naddress = 'tcp://127.0.0.1:65536'",
            ":2: [publish.address] = 'tcp://127.0.0.1:65536': expected an",
        ),
        (
            "[calibration]\npixel_size_um = 'a'",
            ":2: [calibration.pixel_size_um] = 'a': expected a number or nothing, got",
        ),
        ("[calibration]\npixel_size_um = 0", ":2: [calibration.pixel_size_um] = 0: expected a number > 0"),
        ("[camera]\ngain_grey = 0", ":2: [camera.gain_grey] = 0: expected a number > 0"),
        (
            "[camera]\ngain_grey = 2",
            ":2: [camera.gain_grey] also requires offset_grey and read_noise_e; set all three, or",
        ),
        ("[linker]\nmemory = ", ":2: not TOML: "),
        ("[linker\nmemory = 3", ":1: not TOML: "),
        (
            '[camera.micromanager]\nmm_dir = "C:\\Program Files"',
            ":2: not TOML: Unescaped '\\' in a string; write Windows paths in",
        ),
        ("[linker]\nmemory = 'C:\\data'", ":2: [linker.memory] = 'C:\\data': expected a whole number"),
        ("[linker]\nmemory = 1\nmemory = 2", ":3: not TOML: "),
    ],
)
def test_a_mistake_is_reported_with_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}{expected}"), message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load_config(tmp_path / "nowhere.toml")


def test_a_file_of_windows_own_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[linker]\r\nmemory = 5\r\n")
    assert load_config(tmp_path / "config.toml").linker.memory == 5


@pytest.mark.parametrize("folder", ["plain", r"\\server\new\data", 'it\'s "here"', "Größe µ", "3", "true"])
def test_an_assignment_sets_just_this_value(folder: str) -> None:
    assert load_config(None, [assignment("record.folder", folder)]).record.folder == folder


def test_an_assignment_takes_numbers_and_switches_too() -> None:
    config = load_config(None, [assignment("view.labels", True), assignment("view.fps", 12.5)])
    assert (config.view.labels, config.view.fps) == (True, 12.5)


@pytest.mark.parametrize("where", ["livetrack.nowhere:Camera", "livetrack.camera:NoSuchCamera"])
def test_a_driver_that_cannot_be_loaded_is_reported(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    point = EntryPoint("mine", where, "livetrack.cameras")
    monkeypatch.setattr("livetrack.camera.camera_drivers", lambda: {"mine": point})
    with pytest.raises(ConfigError, match=r"config\.toml:2: camera driver 'mine' cannot be imported: "):
        load_driver("mine", "config.toml:2")


def test_overrides_lie_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[linker]\nmemory = 5\nsearch_radius_px = 3")
    config = load_config(path, ["linker.memory=7", "camera.simulated.count=3", "localizer.model=bead"])
    assert config.linker.memory == 7
    assert config.linker.search_radius_px == 3
    assert config.localizer.model == "bead"
    assert config.driver_settings.count == 3


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("linker.memory", "expected section.key=value"),
        ("linker.memory=two", "--set linker.memory: [linker.memory] = 'two': expected a whole number"),
        ("linker.memry=2", "--set linker.memry: [linker.memry] unknown key; did you mean memory?"),
        ("linker.memory.x=2", "--set linker.memory.x: [linker.memory] = ...: expected a whole number, got a section"),
    ],
)
def test_a_wrong_override_is_reported(assignment: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [assignment])
    assert expected in str(caught.value)
