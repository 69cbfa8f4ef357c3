"""Where Micro-Manager is, and in plain words why its configuration does not load."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

from livetrack.errors import CameraError

__all__ = ["explain_load_error", "find_config", "find_folder"]

ENVIRONMENT = "MICROMANAGER_PATH"  # the name that pymmcore's users know
ADAPTERS = "*mmgr_dal_*"
MISMATCH = re.compile(r"device interface version \(\D*(\d+); \D*(\d+)\)")

# device interface: newest pymmcore that speaks it with NumPy 2, first and last Micro-Manager nightly build
INTERFACES = {
    71: ("11.2.1.71.0", "2022-10-31", "2025-03-17"),
    73: ("11.9.0.73.0", "2025-03-19", "2025-08-14"),
    74: ("11.10.0.74.1", "2025-08-16", "2026-02-25"),
    75: ("12.5.1.75.0", "2026-02-27", "now"),
}


def find_folder(mm_dir: str) -> Path:
    """Return the folder of device adapters: `mm_dir`, or without one the first that this machine has.

    Looked at in turn: the environment variable MICROMANAGER_PATH, the usual places of an installation (the
    newest name first), the Python package mm_test_adapters.

    Raises
    ------
    CameraError
        There is none; the text says what was tried.
    """
    named = mm_dir or os.environ.get(ENVIRONMENT, "")
    if named:
        source = "mm_dir" if mm_dir else ENVIRONMENT
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise CameraError(f"{source} = '{named}' is no folder: give Micro-Manager's own, with its mmgr_dal_* files")
        if not _has_adapters(folder):
            raise CameraError(f"{source} = '{named}' holds no device adapters (mmgr_dal_*): give Micro-Manager's own")
        return folder.resolve()
    for folder in _usual_folders():
        if _has_adapters(folder):
            return folder
    places = ", ".join(str(place / "[Mm]icro-[Mm]anager*") for place in _usual_places())
    raise CameraError(
        f"no Micro-Manager found (tried: environment variable {ENVIRONMENT}, {places}, Python package"
        " mm_test_adapters): set mm_dir to its folder, or for its demo camera `python -m pip install mm-test-adapters`"
    )


def find_config(folder: Path, config_file: str) -> Path:
    """Return the configuration file's path: as it is, or in `folder`.

    Raises
    ------
    CameraError
        There is no such file.
    """
    tried = [folder / config_file, Path(config_file).expanduser()]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise CameraError(f"config_file: there is no {' nor '.join(dict.fromkeys(map(str, tried)))}")


def explain_load_error(error: Exception, folder: Path, config: Path) -> CameraError:
    """Say what keeps MMCore from loading `config` with the adapters in `folder`, and what to do."""
    text = " ".join(str(error).split())
    if mismatch := MISMATCH.search(text):
        return CameraError(_explain_mismatch(folder, wanted=int(mismatch[1]), found=int(mismatch[2])))
    adapter = re.search(r'device adapter "([^"]+)"', text)
    if adapter and "Failed to load module" in text:
        if any(folder.glob(f"*mmgr_dal_{adapter[1]}*")):
            cure = "a library it needs is missing: install the maker's driver for this device"
        else:
            cure = f"{folder} has no mmgr_dal_{adapter[1]}: use the Micro-Manager that {config.name} was made with"
        return CameraError(f"{config}: device adapter {adapter[1]!r} cannot be loaded; {cure} ({text})")
    return CameraError(f"{config}: Micro-Manager cannot load it: {text}")


def _explain_mismatch(folder: Path, wanted: int, found: int) -> str:
    """Two versions that must be equal are not; both ways to make them so."""
    pymmcore = version("pymmcore")
    cures = []
    if found in INTERFACES:
        cures.append(f"`python -m pip install pymmcore=={INTERFACES[found][0]}` to fit this Micro-Manager")
    elif found > wanted:
        cures.append(f"`python -m pip install --upgrade pymmcore` to a version whose fourth number is {found}")
    if "mm_test_adapters" in folder.parts and wanted >= 74:  # the first that were published
        cures.append(f'`python -m pip install "mm-test-adapters=={wanted}.*"` to fit this pymmcore')
    elif wanted in INTERFACES:
        _, first, last = INTERFACES[wanted]
        cures.append(f"install a Micro-Manager nightly build of {first} to {last} to fit this pymmcore")
    cure = ", or ".join(cures) or "install a newer Micro-Manager, and the pymmcore that fits it"
    return (
        f"the Micro-Manager in {folder} has device interface {found}, and pymmcore {pymmcore} needs {wanted}"
        f" (the fourth number of its version): the two must be equal; {cure}"
    )


def _has_adapters(folder: Path) -> bool:
    return any(folder.glob(ADAPTERS))


def _usual_places() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("PROGRAMFILES", "C:/Program Files")), Path("C:/")]
    if sys.platform == "darwin":
        return [Path("/Applications"), Path.home()]
    return [Path("/usr/local/lib"), Path("/opt"), Path.home()]


def _usual_folders() -> list[Path]:
    """Return what there is to look into, in order."""
    folders = [
        folder for place in _usual_places() for folder in sorted(place.glob("[Mm]icro-[Mm]anager*"), reverse=True)
    ]
    package = importlib.util.find_spec("mm_test_adapters")
    if package and package.origin:
        folders.append(Path(package.origin).parent / "libs")
    return folders
