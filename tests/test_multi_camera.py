"""A `Multi Camera` of the real core: one camera's images are tracked, or it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from live_engine import ANY_PORT, running
from real_microscope import DEMO, Counted
from waiting import wait_for

from livetrack.camera import Frame
from livetrack.config import load_config
from livetrack.errors import CameraError
from livetrack.particles import Rows
from livetrack.session.engine import Engine

MULTI = [*DEMO, f"camera.micromanager.config_file={str(Path(__file__).parent / 'multicam.cfg')!r}"]


def test_several_cameras_in_one_stream_are_refused_with_their_names() -> None:
    with pytest.raises(CameraError) as caught:
        Engine(load_config(None, [*ANY_PORT, *MULTI]))
    text = str(caught.value)
    assert "camera 'Multi' delivers the images of Left, Right in one stream: set camera.micromanager.channel" in text
    assert "\n" not in text
    with pytest.raises(CameraError, match="channel: camera 'Multi' has no 'Top'; it has Left, Right"):
        Engine(load_config(None, [*ANY_PORT, *MULTI, "camera.micromanager.channel=Top"]))


@pytest.mark.parametrize("setting", ["channel=Left", "channel=Right", "camera=Left", "camera=Right"])
def test_the_images_of_one_camera_are_tracked(setting: str) -> None:
    grey: list[float] = []

    def look(frame: Frame, _: Rows) -> None:
        grey.append(float(np.median(frame.pixels)))

    options = [*ANY_PORT, *MULTI, f"camera.micromanager.{setting}", "camera.every_frame=true"]
    options += ["camera.micromanager.roi=[0, 0, 64, 64]", "camera.queue_frames=5000"]
    with Engine(load_config(None, options)) as engine:
        status = engine.run(seconds=1.5, on_rows=look)
    assert status.received > 20
    assert (status.lost, status.repeated) == (0, 0)
    noise, beads = [level for level in grey if level > 30], [level for level in grey if level <= 30]
    assert not (beads if "Right" in setting else noise)


def test_a_multi_camera_is_initialised_with_its_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    with running([*MULTI, "camera.micromanager.channel=Left"]) as engine:
        core = engine.camera.core
        wait_for(lambda: engine.acquisition.received > 5)
        starts = Counted(monkeypatch, core, "start_continuous_sequence_acquisition")
        initialised = Counted(monkeypatch, core, "initialize_device")
        starts.unplugged = True
        core.stop_sequence_acquisition("Left")
        wait_for(lambda: "attempt 2" in engine.acquisition.message)
        starts.unplugged = False
        wait_for(lambda: engine.acquisition.state == "running")
        assert [label for (label,) in initialised.calls] == ["Left", "Right", "Multi"]
        assert core.get_property("Multi", "Physical Camera 2") == "Right"
        assert core.get_property("Left", "Mode") == "Fluorescent Beads"


def test_a_session_after_one_that_lost_its_cameras_has_both_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with running([*MULTI, "camera.micromanager.channel=Left"]) as engine:
        core = engine.camera.core
        wait_for(lambda: engine.acquisition.received > 5)
        with monkeypatch.context() as patch:
            starts = Counted(patch, core, "start_continuous_sequence_acquisition")
            initialised = Counted(patch, core, "initialize_device")
            starts.unplugged = initialised.unplugged = True
            core.stop_sequence_acquisition("Left")
            wait_for(lambda: "attempt 3" in engine.acquisition.message)
            engine.acquisition.stop()
    with running([*MULTI, "camera.micromanager.channel=Right"]) as engine:
        assert engine.camera.core is core
        wait_for(lambda: engine.acquisition.received > 5)
