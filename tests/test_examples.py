"""The packages in `docs/examples`: found once installed, and used in a live session."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from example_packages import install

from livetrack.camera import load_driver
from livetrack.cli import main
from livetrack.client import Remote, Subscriber
from livetrack.config import load_config
from livetrack.localize import load_localizer
from livetrack.localize.models import installed_localizers
from livetrack.session.engine import Engine
from livetrack.testing import check_camera, check_localizer

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
CAMERA, LOCALIZER = EXAMPLES / "camera_driver", EXAMPLES / "localizer"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(install(CAMERA, LOCALIZER, into=tmp_path)))
    installed_localizers.cache_clear()
    yield
    installed_localizers.cache_clear()


def test_examples_are_short() -> None:
    for package, limit in ((CAMERA, 35), (LOCALIZER, 25)):
        (module,) = package.glob("*.py")
        assert module.read_text(encoding="utf-8").count("\n") <= limit


@pytest.mark.usefixtures("installed")
def test_installed_examples_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras"]) == 0
    assert "[camera.orbit]" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "maxima" in capsys.readouterr().out


@pytest.mark.usefixtures("installed")
def test_examples_meet_their_protocols() -> None:
    check_camera(load_driver("orbit"))
    check_localizer(load_localizer("maxima"))


@pytest.mark.usefixtures("installed")
def test_a_live_session_with_the_camera_swaps_the_localizer_in(tmp_path: Path) -> None:
    settings = [f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]
    settings += ["camera.driver=orbit", "camera.orbit.fps=100.0", "calibration.file=''"]
    with Engine(load_config(None, settings)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        try:
            with Remote(engine.publisher.address) as remote, Subscriber(engine.publisher.address) as positions:
                assert "maxima" in remote.hello().models
                assert remote.swap_model("maxima") == "maxima"
                assert remote.state().model == "maxima"
                until = time.monotonic() + 10
                seen = set()
                while len(seen) < 10 and time.monotonic() < until:
                    update = positions.receive(5)
                    assert update is not None
                    assert len(update.particles) == 1
                    x, y = float(update.particles["x"][0]), float(update.particles["y"][0])
                    assert (x - 31.5) ** 2 + (y - 31.5) ** 2 == pytest.approx(100, abs=6)  # on its orbit
                    seen.add(update.frame)
        finally:
            stop.set()
            thread.join(20)
        status = engine.status()
    assert len(seen) >= 10
    assert status.received == status.tracked + status.skipped


@pytest.mark.measured  # pip fetches the build backend
@pytest.mark.skipif(find_spec("pip") is None, reason="pip is not installed")
@pytest.mark.parametrize("package", [CAMERA, LOCALIZER], ids=["camera", "localizer"])
def test_pip_installs_the_same_files(package: Path, tmp_path: Path) -> None:
    by_pip, by_hand = tmp_path / "pip", tmp_path / "hand"
    by_hand.mkdir()
    install(package, into=by_hand)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(by_pip), str(package)]
    subprocess.run(command, check=True)
    for file in by_hand.rglob("*"):
        if file.is_file() and file.name != "METADATA":
            assert (
                file.read_text(encoding="utf-8").split()
                == (by_pip / file.relative_to(by_hand)).read_text(encoding="utf-8").split()
            )
