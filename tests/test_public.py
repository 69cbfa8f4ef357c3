"""What is public: the top level's names, each module's `__all__`, and the modules that the API pages show."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import livetrack

ROOT = Path(__file__).parents[1]
FILES = [
    path for folder in ("livetrack", "drivers/livetrack_drivers") for path in sorted((ROOT / folder).rglob("*.py"))
]
SHOWN = {
    name for page in (ROOT / "docs" / "api").glob("*.md") for name in re.findall(r"^::: (\S+)", page.read_text(), re.M)
}
TOP_LEVEL = [
    "Engine", "Flag", "Linker", "LivetrackError", "Localizer", "Remote", "Subscriber", "TrackTable", "Tracker",
    "Update", "__version__", "load_config", "load_localizer", "open_movie", "read_session",
]  # fmt: skip


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("drivers.").removesuffix(".__init__")


def public_modules() -> list[ModuleType]:
    return [import_module(name) for name in sorted(SHOWN & {module_name(path) for path in FILES})]


def test_the_top_level_has_these_names_and_no_others() -> None:
    assert livetrack.__all__ == TOP_LEVEL
    for name in TOP_LEVEL:
        assert getattr(livetrack, name) is not None
    assert dir(livetrack) == sorted(TOP_LEVEL)
    with pytest.raises(AttributeError, match="no attribute 'tracker_of'"):
        livetrack.tracker_of  # noqa: B018


def test_the_top_level_loads_nothing_until_it_is_used() -> None:
    heavy = {"numpy", "numba", "onnxruntime", "pyarrow", "PySide6", "zmq", "msgspec", "av", "tifffile", "rich"}
    program = "import sys, livetrack; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not heavy & set(loaded.split())


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_module_lists_its_names(path: Path) -> None:
    """Read, not imported: some need an extra."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assignments = [node for node in tree.body if isinstance(node, ast.Assign)]
    values = [node.value for node in assignments if getattr(node.targets[0], "id", "") == "__all__"]
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    if not values:  # the handlers are found by their decorator
        assert path.stem.endswith("_handlers") or all(name.startswith("_") for name in defined)
        return
    names = ast.literal_eval(values[0])
    unlisted = [name for name in defined if not name.startswith("_") and name not in names]
    assert not unlisted


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_docstrings_are_markdown(path: Path) -> None:
    """The API pages show a line of reStructuredText's `::` as it is."""
    assert not re.search(r"::$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_public_names_exist_and_are_documented() -> None:
    modules = public_modules()
    assert len(modules) > 10
    for module in modules:
        assert module.__doc__
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__doc__, f"{module.__name__}.{name}"


def test_every_name_of_the_top_level_is_on_an_api_page() -> None:
    shown = {name for module in public_modules() for name in module.__all__} | {name.rsplit(".")[-1] for name in SHOWN}
    assert set(TOP_LEVEL) - {"__version__"} <= shown
