"""A real recording of 1 µm beads in water: trackpy's analysis of our tracks gives the predicted diffusion.

The recording is for tests only: no model was trained or tuned on it.
"""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest
import trackpy

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


def test_check_suggests_the_model_for_beads(tmp_path: Path) -> None:
    report = check_movie(RECORDING, tmp_path / "check.png")
    assert report.model == "bead"
    assert report.particles is not None
    assert report.particles.contrast == "dark"
    assert (tmp_path / "check.png").stat().st_size > 10_000
