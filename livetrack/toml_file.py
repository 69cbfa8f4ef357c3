"""Converts TOML into frozen, checked structs; an error names the file, the line, the key, and what is valid."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from livetrack.errors import ConfigError, reason
from livetrack.limits import SETTINGS_BYTES, read_bytes_up_to

__all__ = ["TomlDocument", "assignment"]

T = TypeVar("T")
Path_ = tuple[str, ...]


class TomlDocument:
    """A TOML file with the line numbers of its keys, and `--set` overrides applied to it.

    Raises
    ------
    ConfigError
        The file is missing or unreadable, or is not TOML.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.data: dict[str, Any] = {}
        self._lines: dict[Path_, int] = {}
        self._overridden: dict[Path_, str] = {}  # including the sections that an override has created
        if self.path is None:
            return
        try:
            text = read_bytes_up_to(self.path, SETTINGS_BYTES).decode(
                "utf-8-sig"
            )  # editors on Windows may write a byte order mark
        except FileNotFoundError:
            raise ConfigError(f"{self.path}: no such file") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path}: not TOML, which must be UTF-8 text") from None
        except OSError as error:
            what = "a folder" if self.path.is_dir() else reason(error)
            raise ConfigError(f"{self.path}: cannot be read as TOML: {what}") from None
        try:
            self.data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            what, line = _split_toml_error(str(error), text)
            raise ConfigError(f"{self.path}:{line}: not TOML: {what}") from None
        except (ValueError, RecursionError):
            raise ConfigError(f"{self.path}: not TOML: {_TOO_LARGE}") from None
        self._lines = _lines_of_keys(text)

    def override(self, assignment: str) -> None:
        """Apply an override `section.key=value`; the value is TOML, or else a bare string."""
        key, equals, value = assignment.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path):
            raise ConfigError(
                f"--set {_one_line(assignment)}: expected section.key=value, such as --set linker.memory=3"
            )
        table = self.data
        for part in path[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"--set {_one_line(assignment)}: {part!r} is a value, not a section")
        table[path[-1]] = _toml_value(key, value.strip())
        self._overridden[path] = key
        for length in range(1, len(path)):
            if path[:length] not in self._lines:
                self._overridden.setdefault(path[:length], key)

    def convert(self, kind: type[T], at: Path_ = (), *, known: tuple[str, ...] = ()) -> T:
        """Convert the table at `at` into a `kind` (a msgspec Struct); keys in `known` belong to others and are ignored.

        Raises
        ------
        ConfigError
            An unknown key, a wrong type, or a value out of bounds: one line with file, line and key.
        """
        table: Any = self.data
        for part in at:
            table = table.get(part, {}) if isinstance(table, dict) else table
        if isinstance(table, dict):
            table = {key: value for key, value in table.items() if key not in known}
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            raise ConfigError(self._explain(str(error), kind, at, table, known)) from None

    def where(self, path: Path_) -> str:
        """Return where `path` was set: `file:line`, or `--set`."""
        if path in self._overridden:
            return f"--set {_one_line(self._overridden[path])}"
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.path}:{self._lines.get(path, 1)}"

    def _explain(self, message: str, kind: type, at: Path_, table: Any, known: tuple[str, ...]) -> str:
        what, _, place = message.partition(" - at `$")
        inner = tuple(re.findall(r"[^.\[\]`]+", place))
        if match := re.match(r"(?s)Object contains unknown field `(.*)`", what):
            path, key = at + inner, match[1]
            names = [*_fields(kind, inner), *(known if not inner else ())]
            close = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"valid keys: {', '.join(names)}"
            return f"{self.where((*path, key))}: [{_one_line('.'.join((*path, key)))}] unknown key; {hint}"
        keys = tuple(part for part in inner if not part.isdigit())
        value = _value_at(table, inner)
        return f"{self.where(at + keys)}: [{'.'.join(at + keys)}] = {value}: {_expectation(what, kind, keys)}"


def assignment(key: str, value: str | bool | float) -> str:
    """Return the override that sets `key` to exactly this `value`, including quotation marks and backslashes."""
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # the one character that TOML escapes too
    return f"{key}={text}"  # JSON of these types is TOML


def _one_line(text: str) -> str:
    """Return a key with its line ends and other characters that cannot be printed as escapes."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _expectation(what: str, kind: type, keys: Path_) -> str:
    """Reword msgspec's message for the user."""
    if what.startswith("Invalid enum value"):
        hint = _hint(kind, keys)
        return "expected one of " + ", ".join(repr(choice) for choice in get_args(hint))
    if "matching regex" in what and (description := _description(kind, keys)):
        return f"expected {description}"
    what = re.sub("`(.*?)`", lambda types: " or ".join(_WORDS.get(name, name) for name in types[1].split(" | ")), what)
    return what[:1].lower() + what[1:]


_WORDS = {
    "object": "a section",
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "array": "a list",
    "bool": "true or false",
    "null": "nothing",
}


def _hint(kind: Any, keys: Path_) -> Any:
    for key in keys:
        kind = get_type_hints(kind, include_extras=False).get(key, Any)
        if get_origin(kind) not in (None, Literal):  # X | None: X
            kind = next((arg for arg in get_args(kind) if arg is not type(None)), Any)
    return kind


def _description(kind: Any, keys: Path_) -> str | None:
    """Return the description in the type of a setting, if there is one."""
    hint = get_type_hints(_hint(kind, keys[:-1]), include_extras=True).get(keys[-1])
    return next((meta.description for meta in getattr(hint, "__metadata__", ()) if meta.description), None)


def _fields(kind: Any, inner: Path_) -> list[str]:
    hint = _hint(kind, inner)
    return list(get_type_hints(hint)) if isinstance(hint, type) else []


def _value_at(table: Any, inner: Path_) -> str:
    for part in inner:
        if isinstance(table, dict):
            table = table.get(part)
        elif isinstance(table, list) and part.isdigit():
            table = table[int(part)]
    if isinstance(table, dict):
        return "..."
    return repr(table).replace("True", "true").replace("False", "false").replace("\\\\", "\\")


_TOO_LARGE = "a number of thousands of digits, or lists within one another by the hundred"


def _toml_value(key: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError):
        raise ConfigError(f"--set {_one_line(key)}: not TOML: {_TOO_LARGE}") from None


def _split_toml_error(message: str, text: str) -> tuple[str, int]:
    match = re.search(r" \(at line (\d+), column \d+\)", message)
    if match:
        what, line = message.replace(match[0], ""), int(match[1])
        if re.search(r'"[^"]*\\', text.split("\n")[line - 1]):
            what += "; write Windows paths in single quotes, such as 'C:\\data'"
        return what, line
    return message.replace(" (at end of document)", ", at the end of the file"), text.count("\n") + 1


def _lines_of_keys(text: str) -> dict[Path_, int]:
    """Map each table and key to its line (keys inside an inline table to the line of that table)."""
    lines: dict[Path_, int] = {}
    table: Path_ = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?$", line):
            table = _dotted(header[1])
            lines.setdefault(table, number)
        elif key := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            lines.setdefault(table + _dotted(key[1]), number)
    return lines


def _dotted(text: str) -> Path_:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    return tuple(part.strip("\"'") for part in parts)
