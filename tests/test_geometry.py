"""Pixel size, objective and orientation on the real MMCore: asked again, numbered, and published at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import waiting
from live_engine import running
from livetrack_drivers import _mm_properties
from livetrack_drivers._mm_properties import wait_for_turret
from livetrack_drivers._mm_sequence import PictureSequence

from livetrack.camera import Geometry
from livetrack.client import EventSubscriber, Remote, Subscriber, Update
from livetrack.session.engine import Engine
from livetrack.session.geometry_record import GeometryRecord
from livetrack.wire.events import Event, GeometryEvent, TracksEvent

BEADS = [
    "camera.driver=micromanager",
    "camera.micromanager.properties.Camera.Mode=Fluorescent Beads",
    "camera.micromanager.roi=[0, 0, 128, 128]",
    "localizer.model=centroid",
    "calibration.file=''",
]
TEN, FORTY = "Nikon 10X S Fluor", "Nikon 40X Plan Fluor ELWD"
PATIENCE_S = 20.0
wait_for = partial(waiting.wait_for, timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running(BEADS) as engine:
        yield engine


@pytest.fixture
def remote(engine: Engine) -> Iterator[Remote]:
    """Connect a client; the objective and the orientation are as at the start."""
    with Remote(engine.command_address, timeout_s=PATIENCE_S) as remote:
        remote.set_property("Objective.Label", TEN)
        remote.set_property("Camera.TransposeMirrorX", "0")
        assert remote.hello().geometry.pixel_size_um == 1.0
        yield remote


def core_of(engine: Engine) -> Any:
    return engine.camera.core  # type: ignore[attr-defined]


def frame_with(positions: Subscriber, number: int) -> Update:
    """Return the first frame of this geometry, or of a later one."""
    for update in positions:
        if update.geometry >= number:
            return update
    raise AssertionError


def test_another_objective_is_another_geometry_at_once(
    engine: Engine, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[PictureSequence] = []
    start = PictureSequence.start

    def counted(sequence: PictureSequence) -> Geometry:
        starts.append(sequence)
        return start(sequence)

    monkeypatch.setattr(PictureSequence, "start", counted)
    number, lost = remote.hello().geometry_number, remote.state().lost
    heard: list[Event] = []

    def hear(kind: type[Event]) -> Event:
        while not (heard and isinstance(heard[-1], kind)):
            message = events.receive(PATIENCE_S)
            assert message is not None
            heard.append(message.event)
        return heard[-1]

    with EventSubscriber(engine.publisher.address) as events, Subscriber(engine.publisher.address, False) as positions:
        assert positions.receive(PATIENCE_S)
        while events.receive(0.05) is None:  # until it is connected too
            logging.getLogger("livetrack").warning("a line")
        remote.set_property("Objective.Label", FORTY)
        hello = remote.hello()
        assert (hello.geometry_number, hello.geometry.pixel_size_um) == (number + 1, 0.25)
        assert (hello.geometry.camera, hello.geometry.objective) == ("Camera", FORTY)
        update = frame_with(positions, number + 1)
        assert (update.geometry, update.pixel_size_um) == (number + 1, 0.25)
        changed, tracks = hear(GeometryEvent), hear(TracksEvent)
    assert isinstance(changed, GeometryEvent)
    assert (changed.frame, changed.number) == (update.frame, number + 1)
    assert changed.geometry.same_as(hello.geometry)
    assert isinstance(tracks, TracksEvent)
    assert (tracks.frame, tracks.anew) == (update.frame, True)
    assert not starts, "the sequence was stopped"
    assert remote.state().lost == lost


def test_an_objective_that_is_turned_by_hand_is_noticed(
    engine: Engine, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    number = remote.hello().geometry_number
    with caplog.at_level(logging.WARNING):
        core_of(engine).set_property("Objective", "Label", FORTY)  # not by livetrack
        wait_for(lambda: remote.hello().geometry.pixel_size_um == 0.25)
    assert remote.hello().geometry_number == number + 1
    told = [line for line in caplog.messages if "begin anew" in line]
    assert told == [f"the image has changed: objective {FORTY!r}, 0.25 µm per px; trajectories begin anew"]
    wait_for(lambda: engine.frame is not None and engine.frame.geometry.pixel_size_um == 0.25)


def test_an_objective_that_is_turned_while_the_camera_is_stopped_is_noticed(engine: Engine, remote: Remote) -> None:
    assert remote.stop() == "idle"
    before = engine.acquisition.geometry_record.now
    core_of(engine).set_property("Objective", "Label", FORTY)
    wait_for(lambda: remote.hello().geometry.pixel_size_um == 0.25)
    turned = engine.acquisition.geometry_record.now
    assert turned.optics_since == turned.number > before.number
    remote.start()
    wait_for(lambda: remote.state().state == "running")
    again = engine.acquisition.geometry_record.now
    assert (again.geometry.objective, again.optics_since) == (FORTY, turned.number)
    assert again.number > turned.number  # the sample may have moved


def test_an_objective_without_a_pixel_size_is_another_geometry_too(remote: Remote) -> None:
    number = remote.hello().geometry_number
    for position in ("Objective-2", "Objective-4"):
        remote.set_property("Objective.Label", position)
        geometry = remote.hello().geometry
        number += 1
        assert (geometry.pixel_size_um, geometry.objective) == (None, position)
        assert remote.hello().geometry_number == number


def test_a_zoom_that_wavers_is_no_other_geometry(engine: Engine, remote: Remote) -> None:
    core = core_of(engine)
    core.define_pixel_size_config("zoomed", "Camera", "BeadSize", "2.0000")
    try:
        remote.set_property("Camera.BeadSize", 3.0)
        before = remote.hello()
        assert before.geometry.objective == f"3, {TEN}"
        remote.set_property("Camera.BeadSize", 3.001)
        assert remote.hello().geometry_number == before.geometry_number
        remote.set_property("Camera.BeadSize", 4.0)
        assert remote.hello().geometry_number == before.geometry_number + 1
    finally:
        core.delete_pixel_size_config("zoomed")


def test_a_mirrored_image_is_another_geometry(remote: Remote) -> None:
    before = remote.hello()
    remote.set_property("Camera.TransposeMirrorX", "1")
    after = remote.hello()
    assert after.geometry.same_as(replace(before.geometry, orientation="TransposeMirrorX 1"))
    assert after.geometry_number == before.geometry_number + 1


def test_asking_again_changes_no_number(engine: Engine, remote: Remote) -> None:
    number, received = remote.hello().geometry_number, remote.state().received
    wait_for(lambda: remote.state().received > received + 200)  # over two seconds
    assert remote.hello().geometry_number == number


# without a camera


class LateCore:
    """A core whose turret arrives after it was asked a few times."""

    def __init__(self, device_type: int, polls: int) -> None:
        self.device_type, self.polls = device_type, polls

    def get_device_type(self, device: str) -> int:
        return self.device_type

    def device_busy(self, device: str) -> bool:
        self.polls -= 1
        return self.polls > 0


def test_a_turret_has_arrived_before_its_position_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    turret, stage, stuck = LateCore(4, polls=3), LateCore(6, polls=3), LateCore(4, polls=10**9)
    wait_for_turret(turret, "Objective")
    wait_for_turret(stage, "XY")
    assert (turret.polls, stage.polls) == (0, 3)
    monkeypatch.setattr(_mm_properties, "_ARRIVAL_S", 0.02)
    wait_for_turret(stuck, "Objective")
    assert stuck.polls > 0


def test_changes_between_two_frames_have_their_own_numbers() -> None:
    first = Geometry(64, 48, pixel_size_um=1.0)
    record = GeometryRecord()
    record.begin(first)
    frames = record.of_frames
    for number, size in enumerate((0.5, 0.25, 1.0), 1):
        record.announce(replace(first, pixel_size_um=size))
        record.announce(replace(first, pixel_size_um=size))
        assert (record.now.number, record.now.geometry.pixel_size_um) == (number, size)
    assert record.of_frames == frames
    record.arrive(first)
    assert record.of_frames == (first, 3, 3)
    record.arrive(replace(first, width=32))
    assert record.now == record.of_frames == (replace(first, width=32), 4, 3)
    record.begin(replace(first, width=32))
    assert record.now.number == record.of_frames.number == 5


def test_what_was_read_before_a_change_does_not_undo_it() -> None:
    binned = Geometry(32, 24, binning=2, pixel_size_um=2.0)
    record = GeometryRecord()
    record.begin(Geometry(64, 48, pixel_size_um=1.0))
    number = record.now.number
    record.arrive(binned)
    record.announce(Geometry(64, 48, pixel_size_um=1.0), read_at=number)
    assert record.now == record.of_frames == (binned, 1, 1)


def test_a_pixel_size_of_the_settings_is_scaled_or_unknown_never_stale() -> None:
    for reported in (1.0, None):
        first = Geometry(64, 48, pixel_size_um=reported, objective="10x")
        record = GeometryRecord(pixel_size_um=0.9)
        assert record.begin(first).pixel_size_um == 0.9
        record.announce(replace(first, binning=2, pixel_size_um=reported and 2.0))
        assert record.now.geometry.pixel_size_um == pytest.approx(1.8)
        record.announce(replace(first, objective="40x", pixel_size_um=reported and 0.25))
        assert record.now.geometry.pixel_size_um == (0.225 if reported else None)
        record.announce(first)
        assert record.now.geometry.pixel_size_um == 0.9
