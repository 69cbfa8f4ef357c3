"""Whole sessions: simulated camera, trained network, linker, ZeroMQ, other processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livetrack_drivers.simulated import SimulatedCamera

from livetrack.camera import Frame, Geometry, Picture
from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber
from livetrack.config import Config, load_config
from livetrack.errors import LivetrackError, UsageError
from livetrack.particles import Rows
from livetrack.record import read_session
from livetrack.session.engine import Engine
from livetrack.wire import Status

ANY_PORT = tuple(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address"))
SMALL = (
    "camera.simulated.width=128",
    "camera.simulated.height=96",
    "camera.simulated.count=8",
    "camera.simulated.exposure_ms=2",
)


def config(*overrides: str) -> Config:
    return load_config(None, [*ANY_PORT, *overrides])


def simulated(**settings: Any) -> list[str]:
    return [f"camera.simulated.{key}={json.dumps(value)}" for key, value in settings.items()]


def read_until_ready(engine: subprocess.Popen[str]) -> str:
    """Return the output of an engine's process until it is ready; the last word is its address."""
    assert engine.stderr is not None
    told = ""
    while "ready" not in told:
        line = engine.stderr.readline()
        assert line, told
        told += line
    return told


@pytest.mark.measured
def test_at_peak_snr_10_particles_are_found_precisely_and_keep_their_ids() -> None:
    """50 particles, 1,000 frames; peak SNR: signal over the noise, sqrt(100 + 1.5²) electrons = 10.1."""
    scene = simulated(
        seed=3,
        lockstep=True,
        width=320,
        height=320,
        count=50,
        min_distance_um=3.0,
        diffusion_um2_s=0.01,
        drift_um_s=[0.0, 0.0],
        size_um=0.13,
        spread=0.0,
        signal=101.0,
        background=100.0,
        gradient=0.0,
        read_noise=1.5,
    )
    errors: list[tuple[float, float]] = []
    ids: dict[int, set[int]] = defaultdict(set)
    counts = {"truth": 0, "found": 0, "false": 0}

    def compare(frame: Frame, rows: Rows) -> None:
        truth = engine.camera.truth(frame.number)
        counts["truth"] += len(truth)
        distance = np.hypot(rows["x"][:, None] - truth["x"], rows["y"][:, None] - truth["y"])
        nearest = distance.argmin(1)
        found: set[int] = set()
        for row, particle in enumerate(nearest):
            if distance[row, particle] > 2 or particle in found:
                counts["false"] += 1
                continue
            found.add(particle)
            counts["found"] += 1
            errors.append((rows["x"][row] - truth["x"][particle], rows["y"][row] - truth["y"][particle]))
            ids[int(truth["particle"][particle])].add(int(rows["id"][row]))
        if frame.index == 999:
            engine.acquisition.close()

    with Engine(config(*scene)) as engine:
        status = engine.run(seconds=120, on_rows=compare)
    rmse = np.sqrt(np.mean(np.square(errors), axis=0))
    assert status.tracked >= 1000
    assert counts["found"] / counts["truth"] > 0.98
    assert counts["false"] / counts["found"] < 0.02
    assert (rmse < 0.15).all(), rmse
    assert len(ids) == 50
    assert max(len(each) for each in ids.values()) == 1


def test_another_process_is_read_without_a_gap(tmp_path: Path) -> None:
    """Every message of a live session arrives, from the first one after the subscription to the last one."""
    figures = tmp_path / "figures.json"
    settings = [f"--set={each}" for each in (*SMALL, *ANY_PORT, "camera.simulated.fps=200")]
    command = [sys.executable, "-m", "livetrack", "demo", "--headless", "--seconds=4", f"--json={figures}", *settings]
    engine = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    address = read_until_ready(engine).split()[-1]
    with Subscriber(address, newest=False) as positions:
        first = positions.receive(60)
        assert first is not None
        updates = [first]
        while (update := positions.receive(2)) is not None:
            updates.append(update)
    _, told = engine.communicate(timeout=60)
    assert engine.returncode == 0, told
    assert [update.seq for update in updates] == list(range(first.seq, first.seq + len(updates)))
    assert all(update.gap == 0 for update in updates[1:])
    summary = json.loads(figures.read_text())
    assert updates[-1].seq == summary["tracked"] - 1
    assert summary["received"] == summary["tracked"] + summary["skipped"]
    assert len(updates) > 20
    for update in updates:
        assert (update.width, update.height, update.pixel_size_um) == (128, 96, 0.1)
        stamps = [
            update.t_received_ns, update.t_started_ns, update.t_localized_ns, update.t_linked_ns, update.t_published_ns,
            update.t_client_ns,
        ]  # fmt: skip
        assert stamps == sorted(stamps)
    assert "frames received" in told
    assert summary["born"] > 0
    assert f"{summary['born']} tracks started" in told


def test_a_session_ends_cleanly_on_ctrl_c() -> None:
    settings = [f"--set={each}" for each in (*SMALL, *ANY_PORT)]
    engine = subprocess.Popen(
        [sys.executable, "-m", "livetrack", "demo", "--headless", *settings], stderr=subprocess.PIPE, text=True
    )
    told = read_until_ready(engine)
    engine.send_signal(signal.SIGINT if sys.platform != "win32" else signal.CTRL_BREAK_EVENT)
    _, rest = engine.communicate(timeout=30)
    assert engine.returncode == 0
    assert "stopped after" in rest
    assert "Traceback" not in told + rest


def test_an_address_in_use_is_reported() -> None:
    with Engine(config(*SMALL)) as engine:
        taken = engine.publisher.address
        with pytest.raises(UsageError, match="is another livetrack running") as caught:
            Engine(load_config(None, [*SMALL, ANY_PORT[1], f"publish.address={taken}"]))
    assert str(caught.value).count(taken) == 1
    with pytest.raises(UsageError, match="cannot be bound") as caught:
        Engine(load_config(None, [*SMALL, ANY_PORT[1], "publish.address=ipc:///no/such/folder/positions"]))
    assert "another livetrack" not in str(caught.value)


def test_previews_and_heartbeat_reach_a_viewer() -> None:
    seen: dict[str, Any] = {}

    with Engine(config(*SMALL, "publish.preview_max_px=64")) as engine:
        beats = StatusSubscriber(engine.publisher.address)
        previews = PreviewSubscriber(engine.publisher.preview_address)

        def look(_frame: Frame, _rows: Rows) -> None:
            seen["status"] = beats.receive(0) or seen.get("status")
            seen["preview"] = previews.receive(0) or seen.get("preview")

        engine.run(seconds=2.5, on_rows=look)
        beats.close()
        previews.close()
    assert seen["status"].state == "running"
    assert seen["status"].preview_address == engine.publisher.preview_address
    assert seen["status"].latency_us["total"].p50 > 0
    assert seen["preview"].step == 2
    assert seen["preview"].pixels.shape == (48, 64)


def test_a_viewer_that_connects_while_the_camera_stalls_gets_the_last_frame() -> None:
    faults = simulated(stall_at_s=0.5, stall_s=60.0)
    seen: list[Any] = []
    with Engine(config(*SMALL, *faults)) as engine:

        def look(status: Status) -> None:
            if status.uptime_s > 1.5 and not seen:
                with PreviewSubscriber(engine.publisher.preview_address) as previews:
                    seen.append(previews.receive(3))

        engine.run(seconds=4, on_status=look)
    assert seen[0].pixels.shape == (96, 128)


def test_a_camera_that_disconnects_is_reopened_and_reported() -> None:
    faults = simulated(disconnect_at_s=0.5)
    seen: list[Status] = []
    with Engine(config(*SMALL, *faults, "camera.retry_s=1.2")) as engine:
        status = engine.run(seconds=4, on_status=seen.append)
    assert any(each.state == "retrying" and "attempt 1" in each.message for each in seen)
    assert seen[-1].state == "running"
    assert status.received > 20
    assert status.outages == 1
    assert status.born > status.ended > 0  # the sample moved on meanwhile, and ids are never reused


def test_dropped_frames_are_counted_as_lost() -> None:
    faults = simulated(drop_every=10, drop_frames=3, lockstep=True)
    with Engine(config(*SMALL, *faults)) as engine:

        def stop(frame: Frame, _rows: Rows) -> None:
            if frame.index == 40:
                engine.acquisition.close()

        status = engine.run(seconds=60, on_rows=stop)
    assert status.lost == 3 * ((status.received - 1) // 10)
    assert status.skipped == 0


def test_with_every_frame_those_queued_at_the_end_are_tracked_too() -> None:
    seen: list[int] = []

    def look(frame: Frame, _rows: Rows) -> None:
        seen.append(frame.index)
        if len(seen) < 20:
            time.sleep(0.04)

    with Engine(config(*SMALL, "camera.every_frame=true", "camera.simulated.fps=100")) as engine:
        status = engine.run(seconds=0.8, on_rows=look)
    assert status.received == status.tracked == len(seen) > 40
    assert status.skipped == 0


def test_a_recording_holds_every_delivered_frame(tmp_path: Path) -> None:
    with Engine(config(*SMALL, f"record.folder={str(tmp_path)!r}")) as engine:
        status = engine.run(seconds=2)
    (folder,) = tmp_path.iterdir()
    session = read_session(folder)
    frames = list(session.frames())
    assert len(frames) == status.received > 20
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert session.trajectories().schema.metadata[b"pixel_size_um"] == b"0.1"
    assert session.tracked().num_rows == status.tracked
    assert session.trajectories().num_rows > status.tracked


class ChangingCamera(SimulatedCamera):
    """The simulated camera in lock-step; its frames from number 20 on are changed by `change`."""

    def pictures(self) -> Iterator[Picture | None]:
        for picture in super().pictures():
            if picture is not None and picture.number >= 20:
                picture = self.change(picture)
            yield picture

    def change(self, picture: Picture) -> Picture:
        return picture


class MovedRoi(ChangingCamera):
    def change(self, picture: Picture) -> Picture:
        geometry = Geometry(112, 96, x_origin=16) if picture.number == 20 else None
        return picture._replace(pixels=picture.pixels[:, 16:].copy(), geometry=geometry)


class TimeRestarts(ChangingCamera):
    def change(self, picture: Picture) -> Picture:
        return picture._replace(t_s=picture.t_s - 0.19)


class Broken(ChangingCamera):
    def change(self, picture: Picture) -> Picture:
        raise ZeroDivisionError("bug in the driver")


def ids_before_and_after_frame_20(camera: type[ChangingCamera]) -> tuple[set[int], set[int]]:
    settings = config(*SMALL, *simulated(lockstep=True, count=20))
    before, after = set[int](), set[int]()
    with Engine(settings, camera(settings.driver_settings)) as engine:

        def keep(frame: Frame, rows: Rows) -> None:
            (before if frame.number < 20 else after).update(rows["id"].tolist())
            if frame.index == 30:
                engine.acquisition.close()

        engine.run(seconds=60, on_rows=keep)
    return before, after


@pytest.mark.parametrize("camera", [MovedRoi, TimeRestarts])
def test_tracks_end_when_the_roi_changes_or_the_time_restarts(camera: type[ChangingCamera]) -> None:
    before, after = ids_before_and_after_frame_20(camera)
    assert len(before) >= 5
    assert len(after) >= 5
    assert not before & after


def test_a_driver_that_fails_is_reported_to_the_user_and_to_clients() -> None:
    settings = config(*SMALL, *simulated(lockstep=True))
    with (
        Engine(settings, Broken(settings.driver_settings)) as engine,
        StatusSubscriber(engine.publisher.address) as beats,
    ):
        with pytest.raises(LivetrackError, match="simulated: camera driver failed: bug in the driver"):
            engine.run(seconds=60)
        last = beats.receive(5)
        while last.state != "failed":
            last = beats.receive(5)
    assert "bug in the driver" in last.message


def test_a_session_that_cannot_start_leaves_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="path is empty"):
        Engine(config("camera.driver=movie", f"record.folder={str(tmp_path)!r}"))
    assert not list(tmp_path.iterdir())


def test_a_recording_is_finished_though_the_camera_does_not_close(tmp_path: Path) -> None:
    settings = config(*SMALL, f"record.folder={str(tmp_path)!r}")
    engine = Engine(settings)
    engine.run(seconds=0.5)
    engine.camera.close = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        engine.close()
    assert engine.recorder is not None
    assert read_session(engine.recorder.folder).closed
    Engine(settings).close()  # the addresses are free again


def test_the_same_seed_gives_the_same_rows() -> None:
    def session() -> list[bytes]:
        seen: list[bytes] = []
        with Engine(config(*SMALL, *simulated(lockstep=True))) as engine:

            def keep(frame: Frame, rows: Rows) -> None:
                seen.append(rows.tobytes())
                if frame.index == 30:
                    engine.acquisition.close()

            engine.run(seconds=60, on_rows=keep)
        return seen[:31]

    assert session() == session()


class Unreadable(ChangingCamera):
    """From frame 20 on the pixels are NaN."""

    def change(self, picture: Picture) -> Picture:
        return picture._replace(pixels=np.full((96, 128), np.nan, np.float32))


def test_frames_that_cannot_be_tracked_are_skipped_and_reported() -> None:
    settings = config(*SMALL, *simulated(lockstep=True))
    with Engine(settings, Unreadable(settings.driver_settings)) as engine:
        status = engine.run(seconds=3)
    assert status.tracked == 20
    assert status.skipped == status.received - 20 > 0
    assert "was skipped: image: pixel x=0, y=0 is nan" in status.message
