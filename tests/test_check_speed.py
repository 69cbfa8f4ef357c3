"""Time and memory of a check of 10,000 particles, in the same run as trackpy's locate on one of the frames."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

pytest.importorskip("trackpy")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the memory from /proc")

CHECK = """
import sys, time
from livetrack.cli import main
code = main(["check", "movie.tif", "--json", "report.json"])
"""
LOCATE = """
import time, tifffile, trackpy
frame = tifffile.imread("movie.tif")[0]
for _ in range(2):  # the first compiles
    begun = time.perf_counter()
    found = trackpy.locate(frame, 7, minmass=300)
    seconds = time.perf_counter() - begun
print(len(found), seconds)
"""
MEASURE = """
import json, re, sys, time
exec(sys.stdin.read())
with open("/proc/self/status") as status:  # getrusage counts the memory of the process that has forked this one
    peak_kb = int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
print(json.dumps([time.process_time(), peak_kb / 1024]))
"""


def crowd(frames: int) -> np.ndarray:
    """Return (N, 1024, 1024) uint16 with 10,000 bright particles of sigma 1.5 px at SNR 13, 10 px apart."""
    rng = np.random.default_rng(0)
    places = np.argwhere(np.ones((100, 100))) * 10.0 + 12 + rng.uniform(-2.5, 2.5, (10_000, 2))
    made = []
    for _ in range(frames):
        image = np.full((1024, 1024), 200.0)
        for row, column in places:
            y, x = (
                np.arange(max(0, int(row) - 6), min(1024, int(row) + 8)),
                np.arange(max(0, int(column) - 6), min(1024, int(column) + 8)),
            )
            spot = 200 * np.exp(-((y - row) ** 2)[:, None] / 4.5) * np.exp(-((x - column) ** 2) / 4.5)
            image[y[0] : y[-1] + 1, x[0] : x[-1] + 1] += spot
        made.append(rng.poisson(np.maximum(image, 0)).astype(np.uint16))
        places = np.clip(places + 0.4 * rng.standard_normal(places.shape), 1, 1022)
    return np.stack(made)


def run(program: str, folder: Path) -> tuple[list[str], float, float, float]:
    """Return the lines printed, the seconds that passed, those of the processors, and the peak of the memory in MB."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=program, cwd=folder, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - begun
    *lines, used = done.stdout.splitlines()
    busy_s, peak_mb = json.loads(used)
    return lines, seconds, busy_s, peak_mb


@pytest.mark.measured
def test_ten_thousand_particles_are_checked_in_seconds(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", crowd(16), photometric="minisblack")
    run(CHECK, tmp_path)  # compiles
    _, check_s, busy_s, peak_mb = run(CHECK, tmp_path)
    (printed,), *_ = run(LOCATE, tmp_path)
    located, locate_s = (float(word) for word in printed.split())
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    print(
        f"\ncheck: {report['particles']['count']:.0f} particles in {check_s:.1f} s ({busy_s:.1f} s of the processors), "
        f"{peak_mb:.0f} MB; trackpy's locate: {located:.0f} in {locate_s:.2f} s; ratio {check_s / locate_s:.0f}"
    )
    assert report["particles"]["count"] == pytest.approx(10_000, rel=0.03)
    assert report["found"] == pytest.approx(10_000, rel=0.03)
    assert busy_s < 15  # 10 s are the aim, on a computer with nothing else to do
    assert peak_mb < 500
