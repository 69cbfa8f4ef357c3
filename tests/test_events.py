"""Events: none is missing, and missed ones are reported."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import zmq

from livetrack.camera import Frame, Geometry
from livetrack.client import EventSubscriber
from livetrack.config import load_config
from livetrack.linking import Linker
from livetrack.particles import Rows, empty_rows
from livetrack.session.engine import Engine
from livetrack.session.event_publisher import EventPublisher
from livetrack.wire import EventMessage, WireError, decode_event, encode_event
from livetrack.wire.events import CameraEvent, GeometryEvent, LogEvent, TargetEvent, TracksEvent

ANY_PORT = [f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]


def frame(index: int, geometry_number: int = 0) -> Frame:
    return Frame(empty_rows(), index, index, 0, None, index / 100, Geometry(64, 64), geometry_number)


def rows(*x: float) -> Rows:
    some = empty_rows(len(x))
    some["x"], some["y"] = x, 5.0
    return some


def test_tracks_geometry_and_target_are_published_once() -> None:
    sent: list[bytes] = []
    publisher = EventPublisher(7, sent.append)
    linker = Linker(3.0)
    for index, (x, number, target) in enumerate(
        [([10, 20], 0, None), ([10, 20], 0, 1), ([10], 0, 1), ([10, 30], 0, None), ([40], 1, None)]
    ):
        if number:
            linker.reset()
        linker.update(rows(*x), index / 100)
        publisher.on_frame(frame(index, number), linker, target)
    publisher.close()
    messages = [decode_event(message) for message in sent]
    assert [message.seq for message in messages] == list(range(8))
    assert {message.session for message in messages} == {7}
    assert [message.event for message in messages] == [
        GeometryEvent(frame=0, number=0, geometry=Geometry(64, 64)),
        TracksEvent(frame=0, t_s=0.0, born=[0, 1]),
        TargetEvent(particle=1),
        TracksEvent(frame=2, t_s=0.02, ended=[1]),
        TracksEvent(frame=3, t_s=0.03, born=[2]),
        TargetEvent(particle=None),
        GeometryEvent(frame=4, number=1, geometry=Geometry(64, 64)),
        TracksEvent(frame=4, t_s=0.04, born=[3], anew=True),
    ]


def test_log_lines_are_published_and_still_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[bytes] = []
    log = logging.getLogger("livetrack_drivers.something")
    publisher = EventPublisher(7, sent.append)
    log.info("camera %s", "warm")
    log.warning("camera hot")
    log.debug("not published")
    publisher.poll("running", "")
    publisher.poll("running", "")
    publisher.close()
    log.warning("after")
    publisher.poll("running", "")
    assert [decode_event(message).event for message in sent] == [
        CameraEvent(state="running", message=""),
        LogEvent(level="INFO", logger=log.name, text="camera warm"),
        LogEvent(level="WARNING", logger=log.name, text="camera hot"),
    ]
    assert logging.getLogger("livetrack").level == logging.NOTSET


def test_a_log_line_that_cannot_be_encoded_does_no_harm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("livetrack_drivers"), "propagate", False)  # pytest's own handler raises
    sent: list[bytes] = []
    log = logging.getLogger("livetrack_drivers.something")
    publisher = EventPublisher(7, sent.append)
    log.info("%d frames", "no number")
    log.info("folder %s", "\udcff")  # how Python reads a file name that is not UTF-8
    publisher.poll("", "")
    publisher.close()
    assert "Logging error" in capsys.readouterr().err
    assert [decode_event(message).event for message in sent] == [
        LogEvent(level="INFO", logger=log.name, text=r"folder \udcff")
    ]


def test_the_events_of_a_session_are_complete() -> None:
    """The tracks started and not ended are those of the last frame."""
    settings = ["width=128", "height=96", "count=8", "exposure_ms=2", "stall_at_s=1.0", "stall_s=0.5"]
    settings = [f"camera.simulated.{each}" for each in settings]
    alive: set[int] = set()
    kinds: list[Any] = []
    last: list[Rows] = []
    with (
        Engine(load_config(None, [*ANY_PORT, "camera.stall_s=0.2", "linker.memory=0", *settings])) as engine,
        EventSubscriber(engine.publisher.address) as events,
    ):
        engine.run(seconds=2.0, on_rows=lambda _, rows: last.append(rows.copy()))
        while message := events.receive(0.2):
            assert message.gap == 0
            kinds.append(message.event)
            if isinstance(message.event, TracksEvent):
                alive |= set(message.event.born)
                alive -= set(message.event.ended)
    states = [each.state for each in kinds if isinstance(each, CameraEvent)]
    assert states[-4:] == ["running", "stalled", "running", "stopped"]
    assert alive == set(last[-1]["id"].tolist())
    assert any(isinstance(each, LogEvent) and "stalled" in each.text for each in kinds)


def test_missed_events_are_reported() -> None:
    with zmq.Context.instance().socket(zmq.PUB) as publisher:
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        with EventSubscriber(f"tcp://127.0.0.1:{port}") as events:
            seq = 0
            while events.receive(0.02) is None:  # until it is connected
                publisher.send(message(seq))
                seq += 1
            while events.receive(0.1) is not None:
                pass
            publisher.send(message(seq + 4))
            got = events.receive(5)
    assert got is not None
    assert got.gap == 4


def test_an_event_that_cannot_be_read_raises() -> None:
    for damaged in (b"lt.pos\0\0{}", b"lt.event{", b'lt.event{"session": 1}', b"lt.event\xff"):
        with pytest.raises(WireError, match="event"):
            decode_event(damaged)


def message(seq: int) -> bytes:
    event = CameraEvent(state="running", message="")
    return encode_event(EventMessage(session=1, seq=seq, t_ns=2, wall_ns=3, event=event))
