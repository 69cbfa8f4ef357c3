"""The whole tracker: simulated camera, trained network, linker, ZeroMQ, other processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livetrack.camera import Frame
from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber
from livetrack.config import Config, load_config
from livetrack.engine import Engine
from livetrack.errors import UsageError
from livetrack.particles import Rows
from livetrack.record import read_session
from livetrack.wire import Status

ANY_PORT = ("publish.address=tcp://127.0.0.1:*", "publish.preview_address=tcp://127.0.0.1:*")
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


def test_at_peak_snr_10_particles_are_found_precisely_and_keep_their_ids() -> None:
    """50 particles, 1,000 frames; peak SNR: the signal over the noise's standard deviation, sqrt(100 + 1.5²) = 10.1."""
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
        for row, particle in enumerate(nearest):
            if distance[row, particle] > 2:
                counts["false"] += 1
                continue
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
    """Every message of a live session arrives, from the first that the subscription caught to the last."""
    figures = tmp_path / "figures.json"
    settings = [
        f"--set={each}" for each in (*SMALL, "camera.simulated.fps=200", "publish.address=tcp://127.0.0.1:5655")
    ]
    command = [sys.executable, "-m", "livetrack", "demo", "--headless", "--seconds=4", f"--json={figures}", *settings]
    engine = subprocess.Popen(
        [*command, "--set=publish.preview_address=tcp://127.0.0.1:5656"], stderr=subprocess.PIPE, text=True
    )
    with Subscriber("tcp://127.0.0.1:5655", newest=False) as positions:
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
    assert summary["received"] - summary["tracked"] - summary["skipped"] in (0, 1)  # one may still wait
    assert len(updates) > 100
    for update in updates:
        assert (update.width, update.height, update.pixel_size_um) == (128, 96, 0.1)
        stamps = [
            update.t_received_ns, update.t_started_ns, update.t_localized_ns, update.t_linked_ns, update.t_published_ns,
            update.t_client_ns,
        ]  # fmt: skip
        assert stamps == sorted(stamps)
    assert "frames received" in told


def test_a_session_ends_cleanly_on_ctrl_c() -> None:
    settings = [f"--set={each}" for each in (*SMALL, *ANY_PORT)]
    engine = subprocess.Popen(
        [sys.executable, "-m", "livetrack", "demo", "--headless", *settings], stderr=subprocess.PIPE, text=True
    )
    assert engine.stderr is not None
    told = ""
    while "ready" not in told:
        line = engine.stderr.readline()
        assert line, told
        told += line
    engine.send_signal(signal.SIGINT if sys.platform != "win32" else signal.CTRL_BREAK_EVENT)
    _, rest = engine.communicate(timeout=30)
    assert engine.returncode == 0
    assert "stopped after" in rest
    assert "Traceback" not in told + rest


def test_an_address_in_use_is_told() -> None:
    with Engine(config(*SMALL)) as engine:
        taken = engine.publisher.address
        with pytest.raises(UsageError, match="is another livetrack running") as caught:
            Engine(load_config(None, [*SMALL, ANY_PORT[1], f"publish.address={taken}"]))
    assert taken in str(caught.value)


def test_pictures_and_the_heartbeat_reach_a_window() -> None:
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


def test_a_camera_that_vanishes_comes_back_and_says_so_meanwhile() -> None:
    faults = simulated(disconnect_at_s=0.5)
    seen: list[Status] = []
    with Engine(config(*SMALL, *faults, "camera.retry_s=1.2")) as engine:
        status = engine.run(seconds=4, on_status=seen.append)
    assert any(each.state == "retrying" and "attempt 1" in each.message for each in seen)
    assert seen[-1].state == "running"
    assert status.received > 100


def test_dropped_frames_are_counted_as_lost() -> None:
    faults = simulated(drop_every=10, drop_frames=3, lockstep=True)
    with Engine(config(*SMALL, *faults)) as engine:

        def stop(frame: Frame, _rows: Rows) -> None:
            if frame.index == 40:
                engine.acquisition.close()

        status = engine.run(seconds=60, on_rows=stop)
    assert status.lost == 3 * ((status.received - 1) // 10)
    assert status.skipped == 0


def test_a_recording_holds_every_delivered_frame(tmp_path: Path) -> None:
    with Engine(config(*SMALL, f"record.folder={str(tmp_path)!r}")) as engine:
        status = engine.run(seconds=2)
    (folder,) = tmp_path.iterdir()
    session = read_session(folder)
    frames = list(session.frames())
    assert len(frames) >= status.received > 100
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert session.tracked().num_rows == status.tracked
    assert session.trajectories().num_rows > status.tracked


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
