"""Finds Micro-Manager, and explains why a configuration does not load."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

from livetrack.errors import CameraError

__all__ = ["INTERFACES", "explain_load_error", "find_config", "find_folder"]

_ENVIRONMENT = "MICROMANAGER_PATH"  # as in pymmcore-plus
_ADAPTERS = "*mmgr_dal_*"
_MISMATCH = re.compile(r"device interface version \(\D*(\d+); \D*(\d+)\)")

# device interface: newest pymmcore for it that supports NumPy 2, first and last Micro-Manager nightly build
INTERFACES = {
    71: ("11.2.1.71.0", "2022-10-31", "2025-03-17"),
    73: ("11.9.0.73.0", "2025-03-19", "2025-08-14"),
    74: ("11.10.0.74.1", "2025-08-16", "2026-02-25"),
    75: ("12.5.1.75.0", "2026-02-27", "now"),
}


def find_folder(mm_dir: str) -> Path:
    """Return the folder of the device adapters: `mm_dir`, or if that is empty the first one found.

    The search order is: the environment variable MICROMANAGER_PATH, the usual installation folders (newest name first),
    the Python package mm_test_adapters.

    Raises
    ------
    CameraError
        There is none; the message lists what was tried.
    """
    named = mm_dir or os.environ.get(_ENVIRONMENT, "")
    if named:
        source = "mm_dir" if mm_dir else _ENVIRONMENT
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise CameraError(
                f"{source} = '{named}' is not a folder; set it to the folder that contains the mmgr_dal_* files"
            )
        if not _has_adapters(folder):
            raise CameraError(f"{source} = '{named}' has no device adapters (mmgr_dal_*): give Micro-Manager's folder")
        return folder.resolve()
    for folder in _usual_folders():
        if _has_adapters(folder):
            return folder
    places = ", ".join(str(place / "[Mm]icro-[Mm]anager*") for place in _usual_places())
    raise CameraError(
        f"no Micro-Manager found (tried: environment variable {_ENVIRONMENT}, {places}, Python package"
        " mm_test_adapters): set mm_dir to its folder, or for the demo camera run"
        " `python -m pip install mm-test-adapters`"
    )


def find_config(folder: Path, config_file: str) -> Path:
    """Return the path of the configuration file, which may be relative to `folder`.

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
    """Return an error that says why MMCore cannot load `config` with the adapters in `folder`, and what to do."""
    text = " ".join(str(error).split())
    if mismatch := _MISMATCH.search(text):
        return CameraError(_explain_mismatch(folder, required=int(mismatch[1]), found=int(mismatch[2])))
    adapter = re.search(r'device adapter "([^"]+)"', text)
    if adapter and "Failed to load module" in text:
        if any(folder.glob(f"*mmgr_dal_{adapter[1]}*")):
            cure = "a library that it needs is missing: install the manufacturer's driver for this device"
        else:
            cure = f"{folder} has no mmgr_dal_{adapter[1]}: use the Micro-Manager that {config.name} was made with"
        return CameraError(f"{config}: device adapter {adapter[1]!r} cannot be loaded; {cure} ({text})")
    return CameraError(f"{config}: Micro-Manager cannot load it: {text}")


def _explain_mismatch(folder: Path, required: int, found: int) -> str:
    """Explain that two versions differ which must be equal, and both ways to make them so."""
    pymmcore = version("pymmcore")
    cures = []
    if found in INTERFACES:
        cures.append(f"`python -m pip install pymmcore=={INTERFACES[found][0]}` for this Micro-Manager")
    elif found > required:
        cures.append(f"`python -m pip install --upgrade pymmcore` to a version whose fourth number is {found}")
    if "mm_test_adapters" in folder.parts and required >= 74:  # the first published ones
        cures.append(f'`python -m pip install "mm-test-adapters=={required}.*"` for this pymmcore')
    elif required in INTERFACES:
        _, first, last = INTERFACES[required]
        cures.append(f"install a Micro-Manager nightly build of {first} to {last} for this pymmcore")
    cure = ", or ".join(cures) or "install a newer Micro-Manager, and the matching pymmcore"
    return (
        f"the Micro-Manager in {folder} has device interface {found}, and pymmcore {pymmcore} needs {required}"
        f" (the fourth number of its version): the two must be equal; {cure}"
    )


def _has_adapters(folder: Path) -> bool:
    return any(folder.glob(_ADAPTERS))


def _usual_places() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("PROGRAMFILES", "C:/Program Files")), Path("C:/")]
    if sys.platform == "darwin":
        return [Path("/Applications"), Path.home()]
    return [Path("/usr/local/lib"), Path("/opt"), Path.home()]


def _usual_folders() -> list[Path]:
    """Return the folders to search, in order."""
    folders = [
        folder for place in _usual_places() for folder in sorted(place.glob("[Mm]icro-[Mm]anager*"), reverse=True)
    ]
    package = importlib.util.find_spec("mm_test_adapters")
    if package and package.origin:
        folders.append(Path(package.origin).parent / "libs")
    return folders
