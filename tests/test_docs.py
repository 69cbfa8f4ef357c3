"""The documentation: snippets run, command lines parse, links resolve, and the language is that of the glossary."""

import argparse
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile
from example_packages import install
from livetrack_drivers._mm_install import INTERFACES

from livetrack.cli import main
from livetrack.client import Remote
from livetrack.config import load_config
from livetrack.devices import ActuatorCalibration
from livetrack.session.engine import Engine

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "models").glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT),
)
PAGES.remove(ROOT / "CHANGELOG.md")  # its entries keep the words of their day
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


class Block(NamedTuple):
    page: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    found = []
    for name, page in zip(NAMES, PAGES, strict=True):
        for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
            if fence["language"] == language:
                text = re.sub(f"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE)
                found.append(Block(name, language, text))
    return found


def command_lines() -> list[list[str]]:
    """Return the arguments of each `livetrack` in a shell block."""
    lines = {}
    for block in blocks("sh"):
        for command in re.split(r"\n|&&", block.text):
            words = shlex.split(command, comments=True)
            if "livetrack" in words:
                arguments = words[words.index("livetrack") + 1 :]
                lines[tuple(arguments)] = arguments
    return [line for line in lines.values() if line != ["."]]


PYTHON = blocks("python")
COMMANDS = command_lines()
STAGE = ActuatorCalibration(
    actuator="stage", unit="um", camera="simulated", matrix=((10.0, 0.0), (0.0, 10.0)),
    matrix_std=((0.01, 0.01), (0.01, 0.01)), delay_frames=1.5, delay_std_frames=0.1, interval_s=0.02, binning=1,
    pixel_size_um=0.1, made="2026-01-01T00:00:00",
)  # fmt: skip
NAPARI = """
class Viewer:  # stands for napari's, which is not among the packages for the tests
    def add_image(self, data, name):
        assert data.ndim == 3
        self.frames = len(data)

    def add_tracks(self, data, features, name):
        assert data.shape == (len(features), 4)
        assert 0 <= data[:, 1].min() <= data[:, 1].max() < self.frames

def run():
    pass
"""
QUICK = ("check movie", "track ", "models", "cameras", "keys", "train --list")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a movie of ten drifting spots."""
    folder = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:96, :96]
    places = rng.uniform(12, 84, (6, 2))
    frames = []
    for _ in range(40):
        places += rng.normal(0, 0.2, places.shape)
        light = sum(800 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in places)
        frames.append(rng.poisson(100 + light).astype(np.uint16))
    tifffile.imwrite(folder / "movie.tif", np.array(frames))
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Return the address of a headless engine, which has also left a recording in `folder`."""
    settings = [f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]
    scene = {"width": 128, "height": 128, "count": 8, "fps": 50.0, "min_distance_um": 2.0, "signal": 500.0}
    scene |= {"diffusion_um2_s": 0.01, "drift_um_s": [0.0, 0.0], "spread": 0.0}  # a target that stays
    settings += [f"camera.simulated.{key}={value}" for key, value in scene.items()]
    settings += [f"calibration.file={str(folder / 'calibration.json')!r}", "localizer.threads=1"]
    with Engine(load_config(None, settings)) as engine:
        stop = threading.Event()
        thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
        thread.start()
        with Remote(engine.publisher.address) as remote:
            remote.store_calibration(STAGE)
            recording = Path(remote.start_recording(folder / "recordings").folder)
            time.sleep(0.5)
            remote.stop_recording()
        recording.rename(folder / "recordings" / "2025-01-31_14-05-09")
        yield engine.publisher.address
        stop.set()
        thread.join(20)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_command_lines_parse(arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class ParsedError(Exception):
        pass

    parse = argparse.ArgumentParser.parse_known_args

    def parse_only(self: argparse.ArgumentParser, *args: Any) -> Any:
        parsed = parse(self, *args)
        if " " in self.prog:  # that of a command, called by the one of all
            return parsed
        assert not parsed[1]
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse_only)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParsedError):
        main(arguments)


def test_quick_commands_run(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    quick = [line for line in COMMANDS if " ".join(line).startswith(QUICK) and "mine.onnx" not in line]
    assert len(quick) >= 7
    assert {" ".join(line): main(line) for line in quick} == {" ".join(line): 0 for line in quick}
    assert (folder / "tracks.csv").read_text(encoding="utf-8").count("\n") > 100


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{block.page}-{PYTHON.index(block)}")
def test_python_snippets_run(block: Block, folder: Path, address: str, tmp_path: Path) -> None:
    """A snippet either ends, or loops over frames and prints until it is ended."""
    for name, layout in (("tracks.csv", "livetrack"), ("napari.csv", "napari")):
        if name in block.text and not (folder / name).exists():
            command = ["track", str(folder / "movie.tif"), "--model", "bead", "-o", str(folder / name)]
            assert main([*command, "--format", layout]) == 0
    text = block.text.replace("tcp://127.0.0.1:5555", address)
    for long, short in (("range(1000)", "range(60)"), ("HOLD = 20.0", "HOLD = 0.5"), ("seconds=20", "seconds=0.5")):
        text = text.replace(long, short)
    script = tmp_path / "snippet.py"
    script.write_text(text, encoding="utf-8")
    packages = install(ROOT / "docs/examples/camera_driver", ROOT / "docs/examples/localizer", into=tmp_path)
    if find_spec("napari") is None:
        (packages / "napari.py").write_text(NAPARI, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(packages), "PYTHONUNBUFFERED": "1"}
    output, errors = tmp_path / "output", tmp_path / "errors"
    with output.open("w") as out, errors.open("w") as err:
        process = subprocess.Popen([sys.executable, script], stdout=out, stderr=err, cwd=folder, env=environment)
        until = time.monotonic() + 180  # the first time, compiling takes a minute
        while process.poll() is None and time.monotonic() < until:
            if "in positions" in text and output.read_text(encoding="utf-8").count("\n") > 5:
                break
            time.sleep(0.05)
        ended = process.poll()
        process.kill()
        process.wait()
    assert "Traceback" not in errors.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8")
    assert ended == 0 or (ended is None and output.stat().st_size)


def test_the_readme_has_the_two_commands() -> None:
    shell = {line for block in blocks("sh") if block.page == "README.md" for line in block.text.splitlines()}
    assert "python -m pip install . && livetrack demo" in shell
    assert "python -m pip install '.[test]' && python -m pytest" in shell  # .ci/run uses it, word for word


def test_settings_in_the_documentation_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["keys", "mykeys"]) == 0
    shown = [block for block in blocks("toml") if "[project]" not in block.text]
    assert len(shown) >= 3
    for block in shown:
        tomllib.loads(block.text)
        (tmp_path / "config.toml").write_text(block.text, encoding="utf-8")
        load_config(tmp_path / "config.toml")


def headings(page: Path) -> set[str]:
    """Return the anchors of a page as GitHub and Python-Markdown make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_links_resolve(name: str) -> None:
    page = ROOT / name
    text = re.sub(r"`[^`]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in headings(target), f"{name}: {link}"


BANNED = re.compile(
    r"\b(anew|beside|let go|let in|pictures?|speaks?|tells?|told|trajector(?:y|ies)|wanted|whoever|yardsticks?)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", NAMES)
def test_the_language_is_the_glossarys(name: str) -> None:
    text = re.sub(r"`[^`]*`", "", FENCE.sub("", (ROOT / name).read_text(encoding="utf-8")))
    assert [word[0] for word in BANNED.finditer(text)] == []


def test_the_table_of_device_interfaces_is_the_drivers() -> None:
    text = (ROOT / "docs/howto/camera-problems.md").read_text(encoding="utf-8")
    for interface, (version, first, last) in INTERFACES.items():
        row = f"| {interface} | `python -m pip install pymmcore=={version}` | "
        row += f"from {first} |" if last == "now" else f"{first} to {last} |"
        assert row in text


def test_every_command_has_its_help_on_the_reference_page(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"<!-- help: (\w+) -->", (ROOT / "docs/cli.md").read_text(encoding="utf-8"))
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    (\w+)", capsys.readouterr().out, re.MULTILINE)
    assert len(commands) >= 15
    assert sorted(shown) == sorted(commands)


@pytest.mark.parametrize(
    ("page", "columns", "least"), [("docs/safety.md", 4, 20), ("docs/reliability.md", 3, 40), ("SECURITY.md", 5, 15)]
)
def test_the_tables_of_faults_name_tests_that_exist(page: str, columns: int, least: int) -> None:
    text, _, _ = (ROOT / page).read_text(encoding="utf-8").partition("\n## Measured\n")
    lines = text.splitlines()
    heads = [number - 1 for number, line in enumerate(lines) if line.startswith("|---")]
    rows = [line for number, line in enumerate(lines) if line.startswith("| ") and number not in heads]
    assert len(rows) >= least
    for row in rows:
        _, *cells, _ = row.split("|")
        assert len(cells) == columns, row
        assert all(cell.strip() for cell in cells), row
        tests = ""
        names = re.findall(r"`(test_[\w.]+)`", cells[-1])
        assert len(names) > 1, row  # a file, and a test in it
        for name in names:
            if name.endswith(".py"):
                tests = (ROOT / "tests" / name).read_text(encoding="utf-8")
            else:
                assert f"\ndef {name}(" in tests, name


def test_the_api_pages_name_what_exists() -> None:
    from importlib import import_module

    names = [
        name
        for page in (ROOT / "docs/api").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(names) > 10
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError:
            parent, _, attribute = name.rpartition(".")
            assert attribute in import_module(parent).__all__, name
