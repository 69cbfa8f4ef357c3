"""A localizer that raises costs the frame, not the session: counts add up, and the message names the error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from live_engine import ANY_PORT

from livetrack.client import Remote
from livetrack.config import Config, load_config
from livetrack.errors import CommandError, LivetrackError, LocalizerError
from livetrack.linking import Linker
from livetrack.localize.localizer import Localizer
from livetrack.particles import Rows, empty_rows
from livetrack.session.cache_warmer import CacheWarmer
from livetrack.session.engine import Engine
from livetrack.tracker import Tracker
from livetrack.wire import Status

SMALL = [f"camera.simulated.{setting}" for setting in ("width=64", "height=64", "count=3", "exposure_ms=2")]
LOCKSTEP = "camera.simulated.lockstep=true"


class Failing(Localizer):
    """Finds one particle, and raises in those calls that `fails` accepts, counted from 1."""

    name = "failing"

    def __init__(self, fails: Callable[[int], bool]) -> None:
        self.calls = self.failures = 0
        self.fails = fails

    def find(self, image: npt.NDArray[Any]) -> Rows:
        self.calls += 1
        if self.fails(self.calls):
            self.failures += 1
            raise ValueError("bug on purpose")
        rows = empty_rows(1)
        rows["x"], rows["y"], rows["score"] = 30, 20, 1
        return rows


def config(*overrides: str) -> Config:
    return load_config(None, [*ANY_PORT, *SMALL, *overrides])


def test_a_localizer_that_raises_on_every_tenth_frame_costs_those_frames(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CacheWarmer, "is_due", lambda _: False)  # calls are frames
    caplog.set_level(logging.DEBUG, "livetrack.session.loop")
    heartbeats: list[Status] = []
    tracked: list[int] = []
    with Engine(config(LOCKSTEP, "camera.simulated.fps=100")) as engine:
        localizer = Failing(lambda call: call % 10 == 0)
        engine.tracker.use(localizer)
        status = engine.run(
            seconds=2.5, on_status=heartbeats.append, on_rows=lambda frame, rows: tracked.append(frame.index)
        )
    assert localizer.calls == status.received > 100
    assert status.skipped == status.received // 10
    assert status.received == status.tracked + status.skipped
    assert tracked == [index for index in range(status.received) if index % 10 != 9]
    assert status.born == 1  # the track goes on
    for beat in (*heartbeats[1:], status):
        assert beat.message.startswith("frame ")
        assert "was skipped: the localizer failing failed: ValueError('bug on purpose')" in beat.message
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1
    assert tracebacks[0].levelno == logging.DEBUG


def test_the_message_goes_when_frames_are_tracked_again() -> None:
    heartbeats: list[Status] = []
    with Engine(config("camera.simulated.fps=200")) as engine:
        engine.tracker.use(Failing(lambda call: call < 5))
        engine.run(seconds=3.5, on_status=heartbeats.append)
    assert any("was skipped" in beat.message for beat in heartbeats)
    assert heartbeats[-1].message == ""


def test_a_localizer_that_always_raises_does_not_end_the_session() -> None:
    heartbeats: list[Status] = []
    with Engine(config("camera.simulated.fps=200")) as engine:
        engine.tracker.use(Failing(lambda call: True))
        status = engine.run(seconds=2.5, on_status=heartbeats.append)
    assert (status.state, status.tracked) == ("stopped", 0)
    assert status.skipped == status.received > 0
    assert all("was skipped" in beat.message for beat in heartbeats[1:])


def test_the_cache_warmer_survives_a_localizer_that_raises() -> None:
    with Engine(config("camera.simulated.fps=25", "camera.every_frame=true")) as engine:
        localizer = Failing(lambda call: call % 3 == 0)
        engine.tracker.use(localizer)
        stop = threading.Event()

        def stop_after_failures(status: Status) -> None:
            warmed = localizer.calls > status.received > 30  # the caches were warmed
            if warmed and localizer.failures > status.skipped > 0:  # and that failed too
                stop.set()

        status = engine.run(seconds=100, stop=stop, on_status=stop_after_failures)
    assert stop.is_set()
    assert status.received == status.tracked + status.skipped


def test_a_model_that_raises_in_its_warm_up_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(config("camera.simulated.fps=200")) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        monkeypatch.setattr("livetrack.tracker.load_localizer", lambda **_: Failing(lambda call: True))
        with Remote(engine.command_address) as remote:
            with pytest.raises(CommandError, match=r"the localizer failing failed: ValueError\('bug on purpose'\)"):
                remote.swap_model("failing")
            monkeypatch.setattr("livetrack.tracker.load_localizer", lambda **_: Failing(lambda call: call > 20))
            assert remote.state().model == "spot"
            assert remote.swap_model("failing") == "failing"  # fails after its warm-up
            while remote.state().skipped < 5:
                pass
            monkeypatch.undo()
            assert remote.swap_model("spot") == "spot"
            tracked = remote.state().tracked
            while remote.state().tracked < tracked + 5:
                pass
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_a_session_that_cannot_warm_up_its_localizer_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.tracker.load_localizer", lambda **_: Failing(lambda call: True))
    with pytest.raises(LivetrackError, match="the localizer failing failed: ValueError"):
        Engine(config())


def test_a_failed_update_leaves_the_tracks_as_they_were() -> None:
    tracker = Tracker(Failing(lambda call: call == 2), Linker(5.0))
    image = np.zeros((64, 64), np.uint8)
    first = tracker.update(image, 0.0)["id"].tolist()
    with pytest.raises(LocalizerError) as caught:
        tracker.update(image, 0.1)
    assert isinstance(caught.value.__cause__, ValueError)
    assert tracker.update(image, 0.2)["id"].tolist() == first
