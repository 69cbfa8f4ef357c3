"""A real recording of 1 µm beads in water: trackpy's analysis of our tracks gives the predicted diffusion.

The recording is for tests only: no model was trained or tuned on it.
"""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest
import trackpy

from livetrack import load_localizer
from livetrack.bench.accuracy.displacements import displacement_errors
from livetrack.bench.accuracy.recording import read_frames
from livetrack.check import check_movie
from livetrack.cli import main

RECORDING = Path(__file__).parents[2] / "shared/data/bulk_water.tif"
pytestmark = pytest.mark.skipif(
    not RECORDING.is_file(), reason=f"the recording {RECORDING.name} is not beside this checkout"
)


@pytest.mark.measured
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # trackpy 0.7 in its use of pandas 3
def test_the_beads_diffuse_as_predicted(tmp_path: Path) -> None:
    """MSD = A t^n with n = 1 and A = 4 D = 1.66 µm²/s; trackpy's own localisation gives n = 1.005, A = 1.69."""
    output = tmp_path / "tracks.csv"
    assert main(["track", str(RECORDING), "--model", "bead", "-o", str(output)]) == 0
    trackpy.quiet()
    tracks = trackpy.filter_stubs(pandas.read_csv(output), 25)
    tracks = tracks.reset_index(drop=True)
    tracks = trackpy.subtract_drift(tracks, trackpy.compute_drift(tracks))
    msd = trackpy.emsd(tracks.reset_index(drop=True), mpp=100 / 285, fps=24)
    power = trackpy.utils.fit_powerlaw(msd, plot=False).iloc[0]
    print(f"{tracks.particle.nunique()} tracks, n = {power.n:.3f}, A = {power.A:.3f} µm²/s")
    assert tracks.particle.nunique() >= 800
    assert 0.95 < power.n < 1.10
    assert 1.50 < power.A < 1.80


@pytest.mark.measured
def test_the_errors_of_successive_frames_are_small_and_have_nothing_in_common() -> None:
    """From displacements: MSD intercept 0.004 +- 0.005 px², squared error -0.002 +- 0.002 px².

    The lower limits are two of these errors away: a fit that keeps a third of its start's error comes to -0.010. The
    network's own error shows in MSD(1), in the same tracks: the fit takes 0.011 +- 0.003 px² off.
    """
    frames = read_frames(RECORDING, 60, successive=True)
    intercept, squared = displacement_errors(load_localizer("bead"), "bead", frames)
    print(intercept.n, intercept.figures, squared.figures)
    assert intercept.n > 900
    assert -0.006 < intercept.figures["intercept_px2"] < 0.009
    assert -0.0065 < squared.figures["squared_error_px2"] < 0.0
    assert intercept.figures["removed_from_msd_1"] > 0.004


def test_check_suggests_the_model_for_beads(tmp_path: Path) -> None:
    report = check_movie(RECORDING, tmp_path / "check.png")
    assert report.model == "bead"
    assert report.particles is not None
    assert report.particles.contrast == "dark"
    assert (tmp_path / "check.png").stat().st_size > 10_000
