"""Any settings file: what is valid is read as written, and any other is one line with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from any_value import TEXTS, any_fields
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import inspect

from livetrack.camera import camera_drivers, load_driver
from livetrack.config import Config, load_config
from livetrack.errors import ConfigError
from livetrack.toml_file import assignment

DRIVERS = ("simulated", "micromanager", "movie")


def section_kinds() -> dict[str, type]:
    """Return the struct of each section, by its name in the file."""
    info = inspect.type_info(Config)
    assert isinstance(info, inspect.StructType)
    kinds = {field.name: field.type.cls for field in info.fields if isinstance(field.type, inspect.StructType)}
    return kinds | {f"camera.{name}": load_driver(name).Settings for name in DRIVERS}


KINDS = section_kinds()
FIELDS = {name: any_fields(kind) for name, kind in KINDS.items()}


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + re.sub(r'[\x00-\x1f\x7f"\\]', lambda match: f"\\u{ord(match[0]):04x}", value) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return repr(value)


@st.composite
def valid_section(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Return some settings of a section, valid together too."""
    chosen = draw(st.sets(st.sampled_from(sorted(FIELDS[name])), max_size=6))
    settings = {key: draw(FIELDS[name][key]) for key in sorted(chosen)}
    if name == "camera":
        settings["driver"] = draw(st.sampled_from(DRIVERS))
        noise = "gain_grey", "offset_grey", "read_noise_e"
        if not all(settings.get(key) is not None for key in noise):
            settings = {key: value for key, value in settings.items() if key not in noise}
    if name == "publish":
        settings["curve_keys"] = "keys"  # with which any address may be open
    if "scale" in settings and name == "localizer":
        settings["scale"] = draw(st.sampled_from(["auto", 2.0, 1.0, 0.5, 0.03125]))
    if "limits" in settings:
        settings["limits"] = {axis: sorted(pair) for axis, pair in settings["limits"].items() if pair[0] != pair[1]}
    return {key: value for key, value in settings.items() if value is not None}  # TOML has no null


@st.composite
def documents(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=4))
    return {name: draw(valid_section(name)) for name in names}


def text_of(document: dict[str, dict[str, Any]], comments: list[str]) -> str:
    lines = []
    for number, (name, settings) in enumerate(document.items()):
        lines += [f"# {each}" for each in comments[number:]]
        lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def section_of(config: Config, name: str) -> Any:
    if name.startswith("camera."):
        return config.driver_settings if name == f"camera.{config.camera.driver}" else None
    return getattr(config, name)


@pytest.fixture(autouse=True, scope="module")
def found_once() -> Iterator[None]:
    """Look for the drivers once: that takes longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livetrack.config.camera_drivers", cache(camera_drivers))
        patch.setattr("livetrack.camera.camera_drivers", cache(camera_drivers))
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "config.toml"


def error_of(path: Path, text: str) -> str:
    """Return the one line of the error that reading this file is."""
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert not set("\n\r") & set(message)
    return message


COMMENTS = st.lists(st.text("abc =[]'\"#", max_size=10), max_size=3)


@given(documents(), COMMENTS)
def test_valid_settings_are_read_as_written(path: Path, document: dict[str, Any], comments: list[str]) -> None:
    path.write_text(text_of(document, comments), encoding="utf-8", newline="")
    config = load_config(path)
    for name, settings in document.items():
        section = section_of(config, name)
        for key, value in settings.items() if section is not None else ():
            found = getattr(section, key)
            if isinstance(found, dict):
                found, value = {k: list(v) for k, v in found.items()}, {k: list(v) for k, v in value.items()}
            if isinstance(found, list):
                found, value = [list(each) for each in found], [list(each) for each in value]
            assert found == value, (name, key)


@given(TEXTS)
def test_any_text_can_be_set_on_the_command_line(text: str) -> None:
    assert load_config(None, [assignment("record.folder", text)]).record.folder == text
    assert load_config(None, [f"record.folder = {toml(text)}"]).record.folder == text


@given(documents(), COMMENTS, st.data())
def test_an_unknown_key_is_named_with_its_line(path: Path, document: Any, comments: list[str], data: Any) -> None:
    assume(document)
    name = data.draw(st.sampled_from(sorted(document)))
    key = data.draw(st.text("abcdefgxyzXYZ0189_-", min_size=1, max_size=12))
    assume(key not in FIELDS[name] and not (name == "camera" and key in DRIVERS))
    document[name] = {key: data.draw(st.integers() | TEXTS), **document[name]}
    text = text_of(document, comments)
    line = text.split("\n").index(f"[{name}]") + 2
    assert error_of(path, text).startswith(f"{path}:{line}: [{name}.{key}] unknown key; ")


WRONG = {"BoolType": [1, "true", 0.5], "IntType": [0.5, "1", True], "FloatType": ["1", True], "StrType": [1, True, 0.5]}


@given(documents(), COMMENTS, st.data())
def test_a_wrong_type_is_named_with_its_line(path: Path, document: Any, comments: list[str], data: Any) -> None:
    assume(document)
    name = data.draw(st.sampled_from(sorted(document)))
    info = inspect.type_info(KINDS[name])
    assert isinstance(info, inspect.StructType)
    types: dict[str, list[Any]] = {}
    for field in info.fields:
        kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
        if type(kind).__name__ in WRONG:
            types[field.name] = WRONG[type(kind).__name__]
    assume(types)
    key = data.draw(st.sampled_from(sorted(types)))
    document[name].pop(key, None)
    document[name][key] = value = data.draw(st.sampled_from(types[key]) | st.just({"a": 1}))
    text = text_of(document, comments)
    line = text.split("\n").index(f"{key} = {toml(value)}", text.split("\n").index(f"[{name}]")) + 1
    assert error_of(path, text).startswith(f"{path}:{line}: [{name}.{key}] = ")


PIECES = [
    "[", "]", "{", "}", "=", ".", ",", "\n", "\r\n", "\r", '"', "'", '"""', "'''", "#", "\\", "\\u", " ", "\t",
    "\0", "camera", "linker", "memory", "stage", "limits", "driver", "simulated", "localizer", "scale", "actuators",
    "x", "1", "-", "+", "0x", "1e400", "inf", "nan", "true", "2026-01-01", "12:00", "9" * 5000, "[" * 3000,
    "{a=" * 1000, "a." * 1000, "é", "\x7f", '"\\n"',
]  # fmt: skip


def outcome(path: Path | None, *overrides: str) -> str:
    """Return the message of the error that these settings are; empty if they are valid."""
    try:
        load_config(path, overrides)
    except ConfigError as error:
        return str(error)
    return ""


@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join) | st.text(max_size=30))
def test_any_text_is_settings_or_one_line(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    message = outcome(path)
    assert re.match(rf"{re.escape(str(path))}:(\d+: | not TOML)|$", message)
    assert not set("\n\r") & set(message)


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join) | TEXTS)
def test_any_override_is_a_setting_or_one_line(text: str) -> None:
    message = outcome(None, text)
    assert message[:6] in ("--set ", "")
    assert not set("\n\r") & set(message)
