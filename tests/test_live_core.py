"""A live session on the real MMCore: positions move with the stage, and the frame counts add up."""

from __future__ import annotations

import threading

import numpy as np

from livetrack.client import Subscriber, Update
from livetrack.config import load_config
from livetrack.session.engine import Engine

SETTINGS = [
    "camera.driver=micromanager",
    "camera.micromanager.exposure_ms=20",
    "camera.micromanager.properties.Camera.Mode=Fluorescent Beads",
    "camera.micromanager.properties.Camera.PixelType=16bit",
    "camera.micromanager.properties.XY.Velocity=10000.0",
    "publish.address=tcp://127.0.0.1:*",
    "publish.preview_address=tcp://127.0.0.1:*",
    "publish.command_address=tcp://127.0.0.1:*",
]


def by_id(update: Update) -> dict[int, tuple[float, float]]:
    return {int(row["id"]): (float(row["x"]), float(row["y"])) for row in update.particles}


def test_published_positions_move_with_the_stage_and_keep_their_ids() -> None:
    steps = [(1.0, 0.0)] * 6 + [(0.0, 1.0)] * 6 + [(-0.5, 0.25)] * 8
    before: dict[int, tuple[float, float]] = {}
    after: dict[int, tuple[float, float]] = {}
    heard: list[Update] = []
    stop = threading.Event()

    with Engine(load_config(None, SETTINGS)) as engine, Subscriber(engine.publisher.address, newest=False) as positions:
        core = engine.camera.core  # type: ignore[attr-defined]
        start = np.array(core.getXYPosition())

        def settled() -> Update:
            """Return the next message of a frame taken after the stage has stopped."""
            newest = engine.acquisition.received
            while True:
                update = positions.receive(20)
                assert update is not None
                heard.append(update)
                if update.frame > newest + 2:
                    return update

        def drive() -> None:
            try:
                before.update(by_id(settled()))
                for x, y in steps:
                    core.setRelativeXYPosition(x, y)
                    core.waitForDevice(core.getXYStageDevice())
                    settled()
                after.update(by_id(settled()))
            finally:
                stop.set()

        driver = threading.Thread(target=drive)
        driver.start()
        status = engine.run(seconds=120, stop=stop)
        driver.join()
        moved = np.array(core.getXYPosition()) - start  # µm, in the stage's steps of 0.015 µm

    height, width = heard[0].height, heard[0].width
    assert (height, width) == (512, 512)
    assert heard[0].pixel_size_um == 1.0
    np.testing.assert_allclose(moved, np.sum(steps, axis=0), atol=0.2)
    inside = [
        each for each, (x, y) in before.items() if 20 < x - moved[0] < width - 20 and 20 < y - moved[1] < height - 20
    ]
    assert len(inside) >= 20
    kept = [each for each in inside if each in after]
    assert len(kept) >= 0.95 * len(inside)
    shifts = np.array([np.subtract(after[each], before[each]) for each in kept])
    # the beads move against the stage, 1 px per µm
    np.testing.assert_allclose(np.median(shifts, axis=0), -moved, atol=0.05)
    assert np.mean(np.abs(shifts + moved).max(axis=1) < 0.3) > 0.95

    assert [update.seq for update in heard] == list(range(heard[0].seq, heard[-1].seq + 1))
    assert status.received == status.tracked + status.skipped
    assert status.lost == 0
    assert status.tracked >= len(heard)
