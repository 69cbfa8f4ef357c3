"""After the warm-up, the first frame compiles nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: other tests would have compiled what is to be compiled here.
PROGRAM = """
import gc, sys
from itertools import islice
from numba.core.dispatcher import Dispatcher
from livetrack.camera import load_driver
from livetrack.config import load_config
from livetrack.tracker import Tracker

def compiled():
    some = (each for each in gc.get_objects() if isinstance(each, Dispatcher))
    return {(each.py_func.__module__, each.py_func.__qualname__, str(key)) for each in some for key in each.overloads}

search, side = sys.argv[1], int(sys.argv[2])
tracker = Tracker.from_config(load_config(None, [f"localizer.search={search}"]))
tracker.warmup((side, side))
tracker.choose_threads((side, side))
before = compiled()
simulated = load_driver("simulated")
found = 0
for count in (0, 1, 40):
    camera = simulated(simulated.Settings(width=side, height=side, count=count, lockstep=True))
    camera.open()
    tracker.reset()
    for number, picture in enumerate(islice(camera.pictures(), 6)):
        found += len(tracker.update(picture.pixels, count + 0.01 * number))
    read_only, wider = picture.pixels.copy(), picture.pixels.astype("i4")
    read_only.flags.writeable = False
    for number, pixels in enumerate((read_only, wider)):
        tracker.update(pixels, count + 0.1 + 0.01 * number)
assert found > 100, found
loop = ("livetrack.localize", "livetrack.linking", "livetrack.following")
cold = [each for each in compiled() - before if each[0].startswith(loop)]
print(sorted(cold))
"""


@pytest.mark.parametrize(("search", "side"), [("full", 128), ("follow", 128), ("follow", 256)])
def test_no_kernel_is_compiled_or_loaded_once_frames_come(search: str, side: int) -> None:
    command = [sys.executable, "-c", PROGRAM, search, str(side)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
