"""The simulated microscope: physics against theory, clock and faults, and true positions against images."""

from __future__ import annotations

import itertools
import time

import msgspec
import numpy as np
import pytest
from livetrack_drivers.simulated import SimulatedCamera, SimulatedSettings

from livetrack.camera import Picture, load_driver
from livetrack.errors import CameraError, CameraLostError
from livetrack.optics.fast_exposure import expose_fast
from livetrack.optics.sample import BrownianSample, random_positions
from livetrack.optics.sensor import Sensor

STILL = {"diffusion_um2_s": 0.0, "drift_um_s": (0.0, 0.0), "spread": 0.0}
NO_LIGHT = {"background": 0.0, "gradient": 0.0, "offset": 0.0, "read_noise": 0.0}
BRILLIANT = {"signal": 1e8, "gain": 4e-4}  # so bright that shot noise moves the centroid by less than 1e-4 px


def lockstep(**settings: object) -> SimulatedCamera:
    camera = SimulatedCamera(SimulatedSettings(lockstep=True, **settings))  # type: ignore[arg-type]
    camera.open()
    return camera


def take(camera: SimulatedCamera, count: int) -> list[Picture]:
    pictures = (picture for picture in camera.pictures() if picture is not None)
    return list(itertools.islice(pictures, count))


def scene(count: int, diffusion: float, drift: tuple[float, float], half_um: float = 1e6) -> BrownianSample:
    box = (-half_um, -half_um), (half_um, half_um)
    return BrownianSample(np.zeros((count, 2)), *box, np.full(count, diffusion), drift, np.random.default_rng(3))


# the sample


@pytest.mark.parametrize("lag", [1, 7])
def test_mean_squared_displacement_is_4_d_t(lag: int) -> None:
    diffusion, dt_s = 0.7, 0.01
    path, _ = scene(400, diffusion, (0, 0)).advance(np.full(210, dt_s))
    steps = np.diff(path[::lag], axis=0)  # without overlap: independent
    squared = np.sum(steps**2, axis=-1).ravel()
    error = squared.std() / np.sqrt(squared.size)
    assert squared.mean() == pytest.approx(4 * diffusion * lag * dt_s, abs=4 * error)
    assert error < 0.02 * squared.mean()  # otherwise the line above would prove little


def test_drift_moves_all_particles_alike_and_is_no_diffusion() -> None:
    ends, means = scene(3, 0.0, (2.0, -0.5)).advance(np.array([0.1, 0.3]))
    np.testing.assert_allclose(ends, [[[0.2, -0.05]] * 3, [[0.8, -0.2]] * 3])
    np.testing.assert_allclose(means, [[[0.1, -0.025]] * 3, [[0.5, -0.125]] * 3])


def test_particles_enter_at_the_other_side_after_the_walk_is_over() -> None:
    sample = scene(1, 0.0, (3.0, 0.0), half_um=1.0)
    path, _ = sample.advance(np.array([0.2, 0.2]))
    np.testing.assert_allclose(path[:, 0, 0], [0.6, 1.2])
    np.testing.assert_allclose(sample.positions_um, [[-0.8, 0.0]])


def test_scattered_particles_keep_their_distance() -> None:
    points = random_positions(50, (0, 10), (20, 30), 1.5, np.random.default_rng(0))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)[~np.eye(50, dtype=bool)]
    assert distance.min() >= 1.5
    assert (points >= [0, 10]).all()
    assert (points <= [20, 30]).all()
    with pytest.raises(ValueError, match="do not fit"):
        random_positions(50, (0, 0), (5, 5), 1.5, np.random.default_rng(0))


# noise


@pytest.mark.parametrize("photons", [0.0, 3.0, 20.0, 100.0, 5000.0])
def test_fast_exposure_has_the_moments_of_shot_and_read_noise(photons: float) -> None:
    noise = Sensor(gain=2.0, offset=100.0, read_noise=3.0)
    grey = expose_fast(noise, np.full((512, 512), photons, np.float32), np.random.default_rng(1))
    variance = 4 * (photons + 9) + 1 / 12
    skewness = 8 * photons / variance**1.5
    assert grey.dtype == np.uint16
    assert grey.mean() == pytest.approx(100 + 2 * photons, abs=4 * np.sqrt(variance / grey.size))
    assert grey.var() == pytest.approx(variance, rel=0.015)
    assert np.mean(((grey - grey.mean()) / grey.std()) ** 3) == pytest.approx(skewness, abs=0.03)


def test_fast_exposure_has_the_quantiles_of_the_exact_noise() -> None:
    noise = Sensor(gain=5.0, read_noise=1.0)
    photons = np.full(
        (1000, 1000), 20.0, np.float32
    )  # the dimmest for the fast method, where the distribution is least normal
    q = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    fast = np.quantile(expose_fast(noise, photons, np.random.default_rng(1)), q)
    exact = np.quantile(noise.expose(photons, np.random.default_rng(2)), q)
    np.testing.assert_allclose(fast, exact, atol=1.5)  # grey levels; the standard deviation is 23


def test_fast_exposure_saturates_and_takes_dim_and_bright_pixels_together() -> None:
    photons = np.array([[-5.0, 0.0, 300.0, 1e9]], np.float32)
    grey = expose_fast(Sensor(offset=10.0, read_noise=0.0, bit_depth=8), photons, np.random.default_rng(0))
    assert grey.dtype == np.uint8
    assert grey.tolist() == [[10, 10, 255, 255]]


def test_an_empty_sample_shows_background_gain_offset_and_their_noise() -> None:
    camera = lockstep(count=0, background=80.0, gradient=0.5, gain=0.5, offset=20.0, read_noise=2.0)
    stack = np.stack([picture.pixels for picture in take(camera, 60)]).astype(float)
    photons = 80 * (1 + 0.5 * np.linspace(-0.5, 0.5, 512))
    np.testing.assert_allclose(stack.mean(axis=(0, 1)), 20 + 0.5 * photons, atol=0.15)
    np.testing.assert_allclose(stack.var(axis=0).mean(axis=0), 0.25 * (photons + 4) + 1 / 12, rtol=0.06)


def test_flicker_changes_all_light_together() -> None:
    camera = lockstep(count=0, flicker=0.1, offset=0.0)
    means = [picture.pixels.mean() for picture in take(camera, 200)]
    assert np.std(means) / np.mean(means) == pytest.approx(0.1, rel=0.2)


# images and true positions


@pytest.mark.parametrize("particle", ["spot", "bead"])
def test_the_truth_is_the_centroid_also_of_a_moving_particle(particle: str) -> None:
    light = NO_LIGHT | BRILLIANT | {"min_distance_um": 6.0, "ring": 0.0, "size_um": 0.15}
    camera = lockstep(width=151, height=131, count=1, spread=0.0, particle=particle, **light)
    for picture in take(camera, 20):
        (truth,) = camera.truth(picture.number or 0)
        image = picture.pixels.astype(float)
        rows, columns = np.indices(image.shape)
        weight = image.sum()
        assert (columns * image).sum() / weight == pytest.approx(truth["x"], abs=1e-3)
        assert (rows * image).sum() / weight == pytest.approx(truth["y"], abs=1e-3)


def test_motion_within_the_exposure_widens_the_image_along_the_motion() -> None:
    drift = STILL | {"drift_um_s": (50.0, 0.0)}
    camera = lockstep(width=101, height=101, count=1, min_distance_um=8.0, **NO_LIGHT, **BRILLIANT, **drift)
    image = take(camera, 1)[0].pixels.astype(float)
    truth = camera.truth(0)[0]
    rows, columns = np.indices(image.shape)
    along = (image * (columns - truth["x"]) ** 2).sum() / image.sum()
    across = (image * (rows - truth["y"]) ** 2).sum() / image.sum()
    spot = 1.5**2 + 1 / 12
    assert across == pytest.approx(spot, rel=0.01)
    assert along == pytest.approx(spot + (50 * 0.008 / 0.1) ** 2 / 12, rel=0.02)  # a uniform line of 4 px


def test_dark_beads_have_a_dark_core_in_a_bright_ring() -> None:
    bead = {"particle": "bead", "contrast": "dark", "size_um": 0.4, "signal": 400.0, "background": 1000.0}
    camera = lockstep(width=128, height=128, count=1, min_distance_um=8.0, gradient=0.0, **(STILL | bead))
    image = np.mean([picture.pixels for picture in take(camera, 30)], axis=0)
    truth = camera.truth(0)[0]
    rows, columns = np.indices(image.shape)
    distance = np.hypot(columns - truth["x"], rows - truth["y"])
    assert image[distance < 1].mean() == pytest.approx(1100 - 400, abs=20)
    ring = [image[np.abs(distance - r) < 0.5].mean() for r in np.arange(5, 20)]
    assert max(ring) > 1150


def test_the_sample_moves_as_the_settings_say_and_large_particles_less() -> None:
    settings = {"count": 4000, "width": 2048, "height": 16, "diffusion_um2_s": 0.5, "drift_um_s": (2.0, -1.0)}
    for spread in (0.0, 0.5):
        camera = lockstep(spread=spread, exposure_ms=0.0, fps=50, **settings)
        take(camera, 2)
        start, end = camera.truth(0), camera.truth(1)
        step_um = 0.1 * np.stack([end["x"] - start["x"], end["y"] - start["y"]])
        here = np.abs(step_um).max(axis=0) < 1  # not those that re-entered on the other side
        assert step_um[:, here].mean(axis=1) == pytest.approx([2 / 50, -1 / 50], abs=0.01)
        # E[1/size] of a log-normal of mean 1 is 1 + spread²
        assert step_um[:, here].var(axis=1) == pytest.approx([2 * 0.5 / 50 * (1 + spread**2)] * 2, rel=0.1)


def test_a_mixed_sample_has_signals_and_sizes_of_the_requested_spread() -> None:
    still = STILL | {"spread": 0.3, "min_distance_um": 2.5}
    camera = lockstep(width=512, height=512, count=100, **still, **NO_LIGHT, **BRILLIANT)
    image = take(camera, 1)[0].pixels.astype(float)
    peaks = [image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].max() for _, x, y in camera.truth(0)]
    assert np.std(peaks) / np.mean(peaks) == pytest.approx(0.3, rel=0.3)


@pytest.mark.measured
def test_fifty_well_separated_particles_stay_so_for_a_thousand_frames() -> None:
    calm = {"count": 50, "min_distance_um": 5.0, "diffusion_um2_s": 0.01, "drift_um_s": (0.0, 0.0), "spread": 0.0}
    camera = lockstep(loop_frames=1000, **calm)
    for number in range(0, 1000, 10):
        x, y = camera.truth(number)["x"], camera.truth(number)["y"]
        assert ((x > 5) & (x < 506) & (y > 5) & (y < 506)).all()
        gap = np.hypot(x - x[:, None], y - y[:, None])[~np.eye(50, dtype=bool)]
        assert gap.min() > 16


def test_true_positions_are_kept_for_the_last_exposures_only() -> None:
    camera = SimulatedCamera(SimulatedSettings(lockstep=True))
    with pytest.raises(LookupError, match="never opened"):
        camera.truth(0)
    camera = lockstep(width=16, height=16, count=2, drop_every=1, drop_frames=4999)
    assert [picture.number for picture in take(camera, 2)] == [0, 5000]
    assert camera.truth(5000)["particle"].tolist() == [0, 1]
    assert len(camera.truth(1000)) == 2  # lost exposures have true positions too
    camera.close()
    assert len(camera.truth(5000)) == 2
    for number in (0, 5001):
        with pytest.raises(LookupError, match=f"no true positions of frame {number}"):
            camera.truth(number)


# determinism


def test_the_same_seed_gives_the_same_frames_whatever_was_lost() -> None:
    whole = {picture.number: picture.pixels for picture in take(lockstep(seed=5), 10)}
    again = take(lockstep(seed=5, drop_every=2, drop_frames=2), 5)
    assert [picture.number for picture in again] == [0, 1, 4, 5, 8]
    for picture in again:
        np.testing.assert_array_equal(picture.pixels, whole[picture.number])
    assert (take(lockstep(seed=6), 1)[0].pixels != whole[0]).any()
    assert (whole[1] != whole[0]).any()


def test_a_live_camera_shows_the_same_film() -> None:
    camera = SimulatedCamera(SimulatedSettings(fps=500, exposure_ms=1, width=64, height=64))
    camera.open()
    live = take(camera, 5)
    film = take(lockstep(fps=500, exposure_ms=1, width=64, height=64), (live[-1].number or 0) + 1)
    for picture in live:
        np.testing.assert_array_equal(picture.pixels, film[picture.number or 0].pixels)


def test_a_loop_plays_to_and_fro_without_a_jump() -> None:
    film = take(lockstep(width=64, height=64), 4)
    camera = lockstep(width=64, height=64, loop_frames=4)
    loop = take(camera, 9)
    for number, shown in enumerate([0, 1, 2, 3, 2, 1, 0, 1, 2]):
        np.testing.assert_array_equal(loop[number].pixels, film[shown].pixels)
        np.testing.assert_array_equal(camera.truth(number), camera.truth(shown))
    loop[0].pixels[:] = 0  # belongs to the receiver
    assert loop[6].pixels.any()
    assert [picture.t_s for picture in loop] == pytest.approx([0.004 + n / 100 for n in range(9)])


# the clock


def test_the_live_camera_keeps_its_rate_and_says_when_it_exposed() -> None:
    camera = SimulatedCamera(SimulatedSettings(fps=200, exposure_ms=2, width=32, height=32, count=3))
    camera.open()
    assert not camera.waits
    before_ns = time.perf_counter_ns()
    pictures = take(camera, 40)
    after_ns = time.perf_counter_ns()
    numbers = np.array([picture.number for picture in pictures])
    exposed = np.array([picture.t_exposed_ns for picture in pictures])
    np.testing.assert_allclose(exposed - exposed[0], (numbers - numbers[0]) * 5e6, atol=2)
    assert before_ns < exposed[0] < exposed[-1] + 1e6 <= after_ns  # no picture comes before its exposure is over
    assert pictures[0].t_s is None


def test_a_reader_who_sleeps_finds_a_gap_in_the_numbers() -> None:
    camera = SimulatedCamera(SimulatedSettings(fps=500, exposure_ms=1, width=32, height=32, count=3))
    camera.open()
    pictures = (picture for picture in camera.pictures() if picture is not None)
    first = next(pictures)
    time.sleep(0.5)
    second = next(pictures)
    assert (second.number or 0) - (first.number or 0) > 200


def test_lockstep_waits_for_its_reader() -> None:
    camera = lockstep(fps=500, exposure_ms=1, width=32, height=32)
    pictures = camera.pictures()
    next(pictures)
    time.sleep(0.3)
    assert camera.waits
    assert next(pictures).number == 1  # type: ignore[union-attr]


# simulated faults


def test_drops_leave_gaps_in_the_numbers() -> None:
    numbers = [picture.number for picture in take(lockstep(width=16, height=16, drop_every=3, drop_frames=2), 8)]
    assert numbers == [0, 1, 2, 5, 6, 7, 10, 11]


def test_a_stall_yields_none_but_no_picture() -> None:
    camera = SimulatedCamera(SimulatedSettings(width=32, height=32, stall_at_s=0.1, stall_s=0.4))
    camera.open()
    seen, silent = [], 0
    for picture in camera.pictures():
        if picture is None:
            silent += 1
        else:
            seen.append(picture.number)
        if seen and (seen[-1] or 0) >= 52:
            break
    assert not set(range(10, 50)) & set(seen)
    assert silent >= 4  # one every 100 ms at least


def test_a_disconnection_is_an_error_once_and_the_camera_goes_on_when_it_is_opened_again() -> None:
    camera = lockstep(width=16, height=16, disconnect_at_s=0.05)
    with pytest.raises(CameraLostError, match=r"disconnect_at_s = 0\.05"):
        take(camera, 10)
    camera.close()
    with pytest.raises(CameraLostError, match="not open"):
        take(camera, 1)
    camera.open()
    again = take(camera, 3)
    assert [picture.number for picture in again] == [5, 6, 7]
    np.testing.assert_array_equal(again[2].pixels, take(lockstep(width=16, height=16), 8)[7].pixels)


# settings


def test_the_driver_is_found_by_name_and_has_a_default_for_every_setting() -> None:
    driver = load_driver("simulated")
    geometry = driver(driver.Settings()).open()
    assert (geometry.width, geometry.height, geometry.pixel_size_um) == (512, 512, 0.1)


@pytest.mark.parametrize(
    "wrong",
    [{"fps": 0}, {"count": -1}, {"width": 3}, {"particle": "cell"}, {"bit_depth": 17}, {"spread": 2.0}, {"fqs": 1}],
)
def test_settings_out_of_bounds_are_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, SimulatedSettings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"fps": 200}, r"exposure_ms = 8.0 is longer than the 5 ms between frames at fps = 200"),
        ({"contrast": "dark", "background": 10.0}, r"signal = 150.0 of dark particles exceeds background"),
        ({"count": 1000, "min_distance_um": 5.0}, r"1000 particles at least 5.0 µm apart do not fit; reduce count"),
        ({"min_distance_um": 60.0}, r"min_distance_um = 60.0 exceeds the image's width"),
        ({"loop_frames": 100_000}, r"loop_frames = 100000 needs 48.8 GiB; at most 4 GiB"),
    ],
)
def test_settings_that_contradict_each_other_are_rejected_in_one_line(settings: dict[str, object], says: str) -> None:
    with pytest.raises(CameraError, match=says) as caught:
        SimulatedCamera(SimulatedSettings(**settings)).open()  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
