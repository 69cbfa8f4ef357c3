"""The Micro-Manager driver on the real MMCore, with the DemoCamera of mm-test-adapters."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import islice, takewhile
from pathlib import Path

import mm_test_adapters
import msgspec
import numpy as np
import pytest
from livetrack_drivers import _mm_install
from livetrack_drivers._mm_install import explain_load_error
from livetrack_drivers._mm_sequence import _RisingNumbers
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings

from livetrack.camera import Geometry, Picture, load_driver
from livetrack.errors import CameraError, CameraLostError

FOLDER = Path(mm_test_adapters.__file__).parent / "libs"
BEADS = {"Camera.Mode": "Fluorescent Beads", "Camera.PixelType": "16bit", "XY.Velocity": 10_000}

Open = Callable[..., MicroManagerCamera]


@pytest.fixture
def build() -> Iterator[Open]:
    """Build a camera from settings as read from a file; close it at the end."""
    cameras: list[MicroManagerCamera] = []

    def build(**settings: object) -> MicroManagerCamera:
        table = {"mm_dir": str(FOLDER), "buffer_mb": 32} | settings
        cameras.append(MicroManagerCamera(msgspec.convert(table, MicroManagerSettings)))
        return cameras[-1]

    yield build
    for camera in cameras:
        camera.close()


@pytest.fixture
def opened(build: Open) -> Open:
    def opened(**settings: object) -> MicroManagerCamera:
        camera = build(**settings)
        camera.open()
        return camera

    return opened


def take(camera: MicroManagerCamera, count: int) -> list[Picture]:
    return list(islice((picture for picture in camera.pictures() if picture is not None), count))


def rises_by_one(pictures: list[Picture]) -> bool:
    return set(np.diff([picture.number for picture in pictures])) == {1}


# opening


def test_is_the_driver_called_micromanager() -> None:
    assert load_driver("micromanager") is MicroManagerCamera


def test_opens_the_demo_camera_when_no_micro_manager_is_installed(build: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MICROMANAGER_PATH", raising=False)
    monkeypatch.setattr(_mm_install, "_usual_places", list)
    camera = build(mm_dir="")
    assert camera.open() == Geometry(512, 512, x_origin=0, y_origin=0, binning=1, pixel_size_um=1.0)
    assert rises_by_one(take(camera, 5))


def test_takes_the_folder_from_the_environment(build: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROMANAGER_PATH", str(tmp_path))
    with pytest.raises(CameraError, match=r"^MICROMANAGER_PATH = .* has no device adapters"):
        build(mm_dir="").open()


def test_reports_where_it_searched_for_micro_manager(
    build: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MICROMANAGER_PATH", raising=False)
    monkeypatch.setattr(_mm_install, "_usual_places", lambda: [tmp_path])
    monkeypatch.setattr(_mm_install.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CameraError, match=r"MICROMANAGER_PATH.*mm_test_adapters.*set mm_dir") as caught:
        build(mm_dir="").open()
    assert str(tmp_path) in str(caught.value)


def test_pictures_from_before_reading_starts_are_discarded(opened: Open) -> None:
    camera = opened(exposure_ms=5, roi=[0, 0, 64, 64])
    deadline = time.perf_counter() + 10
    while camera.core.get_remaining_image_count() < 100 and time.perf_counter() < deadline:
        time.sleep(0.05)
    take(camera, 1)
    assert camera.core.get_remaining_image_count() < 50


def test_delivers_beads_in_16_bit(opened: Open) -> None:
    pictures = take(opened(properties=BEADS), 10)
    assert {picture.pixels.shape for picture in pictures} == {(512, 512)}
    assert {picture.pixels.dtype for picture in pictures} == {np.dtype(np.uint16)}
    assert pictures[-1].pixels.max() > 100 > np.median(pictures[-1].pixels)
    assert pictures[0].number == 0
    assert rises_by_one(pictures)
    assert {picture.geometry for picture in pictures} == {None}


def test_delivers_32_bit_as_floats(opened: Open) -> None:
    (picture,) = take(opened(properties=BEADS | {"Camera.PixelType": "32bit"}), 1)
    assert picture.pixels.dtype == np.float32
    assert 0.5 < picture.pixels.max() <= 1


def test_opens_again_after_closing(build: Open) -> None:
    camera = build()
    for binning in (1, 2):
        camera = build(binning=binning)
        assert camera.open().width == 512 // binning
        assert len(take(camera, 3)) == 3
        camera.close()
        camera.close()
    assert camera.open().width == 256
    with pytest.raises(CameraError, match="has a Micro-Manager core already"):
        build().open()
    assert len(take(camera, 3)) == 3  # the open one is not affected


def test_closing_frees_the_memory_of_the_pictures(build: Open) -> None:
    camera = build()
    camera.open()
    core = camera.core
    assert core.get_circular_buffer_memory_footprint() == 32
    camera.close()
    assert core.get_circular_buffer_memory_footprint() == 1


def test_closing_ends_the_pictures_of_another_thread(opened: Open) -> None:
    camera = opened()
    counted: list[int] = []
    thread = threading.Thread(target=lambda: counted.append(sum(1 for _ in camera.pictures())))
    thread.start()
    time.sleep(0.1)
    camera.close()
    thread.join(timeout=5)
    assert counted
    assert counted[0] > 0
    with pytest.raises(CameraError, match="not open"):
        camera.pictures()


@pytest.mark.parametrize("last_words", ["camera.close(); assert threading.active_count() == 1", "raise SystemExit(0)"])
def test_is_imported_without_pycromanager_and_leaves_nothing_behind(last_words: str) -> None:
    code = (
        "import sys, threading; from livetrack_drivers.micromanager import *\n"
        "assert not {'pycromanager', 'pymmcore', 'mmpycorex'} & set(sys.modules)\n"
        f"camera = MicroManagerCamera(MicroManagerSettings(mm_dir={str(FOLDER)!r}))\n"
        "camera.open(); next(camera.pictures())\n"
        f"{last_words}"
    )
    ended = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


# settings, and changes while it runs


def test_binning_doubles_the_pixel_size(opened: Open) -> None:
    camera = opened(binning=2)
    assert camera.open() == Geometry(256, 256, binning=2, pixel_size_um=2.0)
    camera.set_binning(4)
    changed = next(picture for picture in take(camera, 20) if picture.geometry)
    assert changed.geometry == Geometry(128, 128, binning=4, pixel_size_um=4.0)
    assert changed.pixels.shape == (128, 128)


def test_roi_is_counted_in_sensor_pixels_by_the_geometry(build: Open) -> None:
    camera = build(binning=2, roi=[10, 20, 100, 60])
    assert camera.open() == Geometry(100, 60, x_origin=20, y_origin=40, binning=2, pixel_size_um=2.0)
    assert take(camera, 1)[0].pixels.shape == (60, 100)


def test_pixel_size_is_unknown_where_the_configuration_has_none(build: Open) -> None:
    camera = build()
    camera.open()
    camera.core.set_property("Objective", "Label", "Objective-2")
    camera.set_roi(0, 0, 64, 64)
    changed = next(picture.geometry for picture in take(camera, 20) if picture.geometry)
    assert changed == Geometry(64, 64)
    assert changed.pixel_size_um is None


def test_pictures_taken_before_a_change_are_kept(opened: Open) -> None:
    camera = opened(exposure_ms=5, buffer_mb=128)
    pictures = (picture for picture in camera.pictures() if picture is not None)
    before = next(pictures)
    time.sleep(0.05)
    waiting = camera.core.get_remaining_image_count()
    camera.set_roi(0, 0, 64, 32)
    kept = list(takewhile(lambda picture: picture.geometry is None, pictures))
    assert len(kept) >= waiting > 1
    assert {picture.pixels.shape for picture in kept} == {(512, 512)}
    assert next(pictures).pixels.shape == (32, 64)
    assert rises_by_one([before, *kept])


def test_roi_changed_by_another_thread_loses_no_picture(opened: Open) -> None:
    camera = opened(exposure_ms=5, buffer_mb=128)
    rois = [(10, 20, 100, 60), (0, 0, 512, 512), (412, 448, 100, 64)]
    pictures: list[Picture] = []
    done = threading.Event()

    def consume() -> None:
        for picture in camera.pictures():
            if picture is not None:
                pictures.append(picture)
            if done.is_set():
                return

    thread = threading.Thread(target=consume)
    thread.start()
    for roi in rois:
        time.sleep(0.05)
        camera.set_roi(*roi)
    time.sleep(0.1)
    done.set()
    thread.join(timeout=5)
    assert rises_by_one(pictures)
    changes = [picture.geometry for picture in pictures if picture.geometry]
    assert [(g.x_origin, g.y_origin, g.width, g.height) for g in changes] == rois
    shape = (512, 512)
    for picture in pictures:
        shape = (picture.geometry.height, picture.geometry.width) if picture.geometry else shape
        assert picture.pixels.shape == shape


def test_exposure_can_be_changed_while_running(opened: Open) -> None:
    camera = opened(exposure_ms=20)
    assert camera.core.get_exposure() == 20
    camera.set_exposure(5)
    assert camera.core.get_exposure() == 5
    assert rises_by_one(take(camera, 5))


def test_properties_are_written_in_either_way(opened: Open) -> None:
    camera = opened(
        properties={
            "White Light Shutter.State": True,
            "Camera": {"Gain": 3, "Binning": 2.0, "BeadSize": 2.5},
            "Objective.Label": "Nikon 40X Plan Fluor ELWD",
        }
    )
    get = camera.core.get_property
    assert get("White Light Shutter", "State") == "1"
    assert [get("Camera", name) for name in ("Gain", "Binning", "BeadSize")] == ["3", "2", "2.5000"]
    assert camera.core.get_pixel_size_um() == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mm_dir": "no/such/folder"}, "^mm_dir = 'no/such/folder' is not a folder"),
        ({"mm_dir": str(Path(__file__).parent)}, "has no device adapters"),
        ({"config_file": "nothing.cfg"}, "^config_file: there is no .*nothing.cfg"),
        ({"camera": "Kamera"}, r"^camera: there is no 'Kamera' .* which has Camera"),
        ({"camera": "XY"}, r"^camera: there is no 'XY'"),
        ({"exposure_ms": 1e6}, "^exposure_ms cannot be 1000000.0: its range is 0 to 10000"),
        ({"binning": 3}, "^binning cannot be 3: camera 'Camera' offers 1, 2, 4, 8"),
        ({"roi": [500, 0, 13, 10]}, "^roi cannot be x 500.* has 512 x 512 px"),
        ({"binning": 2, "roi": [0, 0, 257, 10]}, "^roi cannot be .* has 256 x 256 px"),
        ({"properties": {"Kamera.Gain": 1}}, "no device 'Kamera' is loaded; there are DHub, Camera, "),
        ({"properties": {"Gain": 1}}, "no device 'Gain' is loaded"),
        ({"properties": {"Camera.Pixeltype": "8bit"}}, "has no 'Pixeltype'; did you mean 'PixelType'"),
        ({"properties": {"Camera": {"zzz": 1}}}, "has no 'zzz'; it has 'AllowMultiROI', "),
        ({"properties": {"Camera.PixelType": "12bit"}}, "cannot be '12bit': valid values are '16bit', '32bit', "),
        ({"properties": {"Camera.Gain": 99}}, "'Camera.Gain' cannot be 99: its range is -5 to 8"),
        ({"properties": {"Camera.Gain": "high"}}, "'Camera.Gain' cannot be high: its range is -5 to 8"),
        ({"properties": {"Camera.Offset": "abc"}}, "'Camera.Offset' cannot be 'abc': it takes an integer"),  # 0
        ({"properties": {"Camera.Offset": "2.5"}}, "'Camera.Offset' cannot be '2.5': it takes an integer"),  # 2
        ({"properties": {"Camera.ReadoutTime": "5ms"}}, "'Camera.ReadoutTime' cannot be '5ms': it takes a number"),  # 5
        ({"properties": {"Camera.ReadoutTime": "nan"}}, "'Camera.ReadoutTime' cannot be 'nan': it takes a number"),
        ({"properties": {"Camera.CameraID": "mine"}}, "'Camera.CameraID' is read-only"),
        ({"properties": {"Camera.MaximumExposureMs": 5}}, "set it in the configuration file"),
        ({"properties": {"Camera.PixelType": "32bitRGB"}}, "set property 'Camera.PixelType' to '16bit' or '32bit' or"),
        ({"buffer_mb": 1, "properties": {"Camera": {"OnCameraCCDXSize": 4096}}}, "does not start: .*buffer"),
    ],
)
def test_a_wrong_setting_gives_one_clear_line(build: Open, settings: dict[str, object], message: str) -> None:
    camera = build(**settings)
    with pytest.raises(CameraError, match=message) as caught:
        camera.open()
    assert "\n" not in str(caught.value)
    with pytest.raises(CameraError, match="not open"):
        camera.core  # noqa: B018  reading it raises
    assert build().open().width == 512  # nothing is left behind


@pytest.mark.parametrize(
    "settings",
    [
        {"exposure_ms": -5},
        {"exposure_ms": 0},
        {"binning": 0},
        {"roi": [0, 0, 10]},
        {"roi": [-1, 0, 10, 10]},
        {"roi": [0, 0, 0, 10]},
        {"buffer_mb": 0},
        {"properties": {"Camera": {"A": {"B": 1}}}},
        {"exposure": 5},
    ],
)
def test_settings_have_bounds(settings: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, MicroManagerSettings)


def test_a_rejected_change_leaves_the_camera_running(opened: Open) -> None:
    camera = opened()
    changes: list[Callable[[], None]] = [
        lambda: camera.set_exposure(-5),
        lambda: camera.set_exposure(float("nan")),
        lambda: camera.set_roi(0, 0, 100_000, 100_000),
        lambda: camera.set_roi(0, 0, 0, 0),
        lambda: camera.set_binning(16),
        lambda: camera.set_property("Camera.PixelType", "64bitRGB"),
    ]
    for change in changes:
        with pytest.raises(CameraError):
            change()
    pictures = take(camera, 5)
    assert rises_by_one(pictures)
    assert pictures[-1].pixels.shape == (512, 512)
    assert pictures[-1].geometry is None


# losses


def test_an_overflow_of_the_buffer_is_a_gap_in_the_numbers(opened: Open) -> None:
    camera = opened(buffer_mb=2, exposure_ms=1)  # three pictures fit
    steps = [1]
    last = take(camera, 1)[0].number
    deadline = time.monotonic() + 60
    while steps[-1] == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
        (picture,) = take(camera, 1)
        steps.append(picture.number - last)
        last = picture.number
    assert set(steps[:-1]) == {1}
    assert steps[-1] > 1


def test_a_camera_that_stops_silently_is_lost(opened: Open) -> None:
    camera = opened(exposure_ms=5)
    pictures = camera.pictures()
    next(pictures)
    camera.core.set_roi(0, 0, 64, 64)  # DemoCamera accepts it while running, and delivers no more
    with pytest.raises(CameraLostError, match=r"^camera 'Camera' stopped: its sequence ended by itself"):
        list(islice(pictures, 200))
    camera.close()
    camera.open()
    assert len(take(camera, 3)) == 3


def test_a_slow_camera_yields_none_in_between(opened: Open) -> None:
    camera = opened(exposure_ms=300)
    yielded, times = [], [time.perf_counter()]
    for picture in islice(camera.pictures(), 8):
        yielded.append(picture)
        times.append(time.perf_counter())
    assert any(picture is None for picture in yielded)
    assert any(picture is not None for picture in yielded)
    assert max(np.diff(times)) < 0.5


def test_numbers_rise_when_the_core_counts_from_zero_again() -> None:
    numbers = _RisingNumbers()
    assert [numbers.next(n) for n in (0, 1, 1, 4)] == [0, 1, 1, 4]  # repeats and gaps are kept
    numbers.restart()
    assert [numbers.next(n) for n in (0, 1)] == [5, 6]
    assert [numbers.next(n) for n in (0, 0, 1)] == [8, 10, 11]  # discarded twice while running: pictures are lost
    numbers.restart()
    assert [numbers.next(n) for n in (2, 3)] == [12, 13]  # a core that does not restart its count
    assert numbers.next(None) is None


# the stage


def test_the_beads_follow_the_stage(opened: Open) -> None:
    camera = opened(properties=BEADS)
    pictures = (picture for picture in camera.pictures() if picture is not None)
    before = _settled(camera, pictures)
    for move_um in ((1, 0), (0, 1), (2, -1)):
        camera.core.set_relative_xy_position(*map(float, move_um))
        camera.core.wait_for_device("XY")
        after = _settled(camera, pictures)
        assert _shift(before, after) == pytest.approx(-np.array(move_um), abs=0.02)
        before = after


def _settled(camera: MicroManagerCamera, pictures: Iterator[Picture]) -> np.ndarray:
    """Return the first picture exposed entirely after this call."""
    on_the_way = camera.core.get_remaining_image_count() + 2
    return next(islice(pictures, on_the_way, None)).pixels.astype(float)


def _shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the shift (x, y) of the image, px: phase correlation to a pixel, then least squares on the gradient."""
    spectrum = np.fft.rfft2(after) * np.conj(np.fft.rfft2(before))
    peak = np.array(np.unravel_index(np.argmax(np.fft.irfft2(spectrum)), before.shape))
    whole = (peak + 256) % 512 - 256
    rolled = np.roll(before, whole, axis=(0, 1))[16:-16, 16:-16]
    dy, dx = np.gradient(rolled)
    rest = np.linalg.lstsq(np.stack([-dx.ravel(), -dy.ravel()], 1), (after[16:-16, 16:-16] - rolled).ravel())[0]
    return np.asarray(whole[::-1] + rest)


# configurations that do not load


@pytest.fixture
def older_adapter(tmp_path: Path) -> Path:
    """Copy the adapters, and patch DemoCamera to report device interface 73."""
    folder = tmp_path / "Micro-Manager-2.0"
    shutil.copytree(FOLDER, folder)
    (library,) = folder.glob("*mmgr_dal_DemoCamera*")
    code = library.read_bytes()
    version_75 = bytes.fromhex("b8 4b 00 00 00 c3")  # x86-64: mov eax, 75; ret
    if code.count(version_75) != 1:
        pytest.skip("the adapter is not built for x86-64, or its device interface is not 75")
    library.write_bytes(code.replace(version_75, bytes.fromhex("b8 49 00 00 00 c3")))
    return folder


def test_a_mismatch_of_device_interfaces_is_explained(build: Open, older_adapter: Path) -> None:
    with pytest.raises(CameraError) as caught:
        build(mm_dir=str(older_adapter)).open()
    text = str(caught.value)
    assert f"{older_adapter} has device interface 73, and pymmcore {version('pymmcore')} needs 75" in text
    assert "pip install pymmcore==11.9.0.73.0" in text
    assert "nightly build of 2026-02-27" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("core_says", "cures"),
    [
        ("(required = 71; found = 75)", ["pip install pymmcore==12.5.1.75.0", "build of 2022-10-31 to 2025-03-17"]),
        ("(MMCore requires 75; device adapter has 70)", ["install a Micro-Manager nightly build of 2026-02-27"]),
        ("(MMCore requires 75; device adapter has 76)", ["upgrade pymmcore` to a version whose fourth number is 76"]),
    ],
)
def test_a_mismatch_in_the_words_of_any_core(core_says: str, cures: list[str]) -> None:
    raised = OSError(f"Line 7: Device,A,B,C\nFailed [ Incompatible device interface version {core_says} ]\n\n")
    text = str(explain_load_error(raised, Path("mm"), Path("mm/demo.cfg")))
    assert all(cure in text for cure in cures)


def test_a_mismatch_of_the_test_adapters_has_its_own_cure() -> None:
    raised = OSError("Incompatible device interface version (MMCore requires 75; device adapter has 76)")
    text = str(explain_load_error(raised, FOLDER, FOLDER / "MMConfig_demo.cfg"))
    assert 'pip install "mm-test-adapters==75.*"' in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DHub,DemoCamera,DHub", "DHub,PrimeCam,DHub", "'PrimeCam' cannot be loaded; .* has no mmgr_dal_PrimeCam"),
        ("DHub,DemoCamera,DHub", "DHub,DemoCamera,DHubb", 'cannot load it: Line 7: .*"DHubb"'),
        ("# Devices", "Device", "cannot load it: Line 6: Device"),
        ("Property,Core,Camera,Camera", "Property,Core,Camera,Kamera", 'cannot load it: .*"Kamera"'),
    ],
)
def test_a_bad_configuration_file_gives_one_clear_line(
    build: Open, tmp_path: Path, old: str, new: str, message: str
) -> None:
    config = tmp_path / "mine.cfg"
    demo = (FOLDER / "MMConfig_demo.cfg").read_text()
    assert old in demo
    config.write_text(demo.replace(old, new, 1))
    with pytest.raises(CameraError, match=message) as caught:
        build(config_file=str(config)).open()
    assert "\n" not in str(caught.value)


def test_a_configuration_file_without_a_camera(build: Open, tmp_path: Path) -> None:
    config = tmp_path / "stages.cfg"
    config.write_text("Device,XY,DemoCamera,DXYStage\nProperty,Core,Initialize,1\n")
    with pytest.raises(CameraError, match=r"^config_file: it has no camera"):
        build(config_file=str(config)).open()


def test_an_adapter_without_its_manufacturers_library_is_recognized(build: Open, tmp_path: Path) -> None:
    folder = tmp_path / "mm"
    shutil.copytree(FOLDER, folder)
    (library,) = folder.glob("*mmgr_dal_DemoCamera*")
    library.write_bytes(b"no library")
    with pytest.raises(CameraError, match=r"'DemoCamera' cannot be loaded; .*the manufacturer's driver"):
        build(mm_dir=str(folder)).open()
