"""No process outlives the test run, or the session, that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from test_cli import ANY_PORT
from waiting import wait_for

T = TypeVar("T")

TEST_WITH_A_WINDOW = """
import subprocess, sys, time
from pathlib import Path

def test_window():
    command = [sys.executable, "-m", "livetrack", "view", "tcp://127.0.0.1:5999", "--no-config"]
    Path("started").write_text(str(subprocess.Popen(command).pid))
    Path("started").rename("window")
    time.sleep(60)
"""


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("ending", [signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGINT)])
def test_no_window_outlives_a_killed_test_run(tmp_path: Path, ending: signal.Signals) -> None:
    (tmp_path / "test_window.py").write_text(TEST_WITH_A_WINDOW)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "test_window.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as run:
        wait_for((tmp_path / "window").exists)
        window = psutil.Process(int((tmp_path / "window").read_text()))
        assert not has_ended(window)
        run.send_signal(ending)
    wait_for(lambda: has_ended(window))


@pytest.mark.parametrize("after_s", [0.0, 3.0], ids=["while it loads", "while it is shown"])
def test_a_window_ends_when_its_session_is_killed(tmp_path: Path, after_s: float) -> None:
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "livetrack", "demo", *ANY_PORT]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as session:
        assert session.stderr is not None
        while "ready" not in session.stderr.readline():
            assert session.poll() is None
        (window,) = wait_for(psutil.Process(session.pid).children)
        time.sleep(after_s)
        assert not has_ended(window)
        session.kill()
    wait_for(lambda: has_ended(window))
