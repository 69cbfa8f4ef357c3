"""Reads from the names of images which frame, channel, position and plane each of them is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import ABSENT, Numbers

__all__ = ["Named", "arrange_names", "natural_order", "step_of"]

_LABELS = {
    "C": ("channel", "ch", "c", "w"),
    "P": ("position", "pos", "xy", "series", "point", "field", "s", "p"),
    "T": ("time", "frame", "t"),
    "Z": ("zslice", "slice", "z"),
}
_LABEL = re.compile(rf"(?:^|[^a-z])({'|'.join(sum(_LABELS.values(), ()))})[_\- =]?$", re.IGNORECASE)
_LETTERS = {name: letter for letter, names in _LABELS.items() for name in names}
_ONLY_WITH_OTHERS = ("s", "p")  # letters that alone may mean anything
_WITH_CHANNEL_NAME = re.compile(r"^(img_\d{9}_)(.+)(_\d{3}\.\w+)$")  # Micro-Manager 1.4: time, channel, plane
_MOST = 0.8  # of the images have names of one kind, or steps between their numbers: the rest are exceptions
_FEWEST = 0.8  # of the places of a grid are taken where the numbers in the names are a grid
_MAX_GAPS = 4  # times as many frames as images


class Named(NamedTuple):
    """Images by their names."""

    axes: tuple[Axis, ...]
    order: Numbers
    """Index of the image at each place of the axes; `ABSENT` where there is none."""
    frame_numbers: list[int]
    """By image: the number in its name that counts the frames; empty if none does."""
    others: list[int]
    """Images whose names are of another kind, which are left out."""
    kind: str
    """Name of the images that are read, with # for numbers."""


class _Name(NamedTuple):
    kind: tuple[str, ...]
    """Text around the numbers, without the names of channels."""
    numbers: tuple[int, ...]
    labels: tuple[str, ...]
    """By number: what the text before it calls it, such as "channel"; empty if it has no name of an axis."""
    channel: str = ""
    """Name of the channel."""


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a key for `sorted`: numbers in the name compare as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def arrange_names(names: Sequence[str]) -> Named:
    """Return what the images are by their names, which are in natural order.

    Raises
    ------
    InputError
        The names are of several kinds, of which none is that of most images.
    """
    parsed = [_parse(name) for name in names]
    kinds = Counter(name.kind for name in parsed)
    kind, count = kinds.most_common(1)[0]
    if len(kinds) > max(1, len(names) / 2):  # words, not numbers
        return _in_sequence(names, range(len(names)), [], "")
    if count < _MOST * len(names):
        raise InputError(_several_kinds(kinds))
    parsed = _with_first(parsed, kind)
    chosen = [index for index, name in enumerate(parsed) if name.kind == kind]
    others = [index for index, name in enumerate(parsed) if name.kind != kind]
    columns = _columns([parsed[index] for index in chosen])
    text = re.sub(r"\d+", "#", names[chosen[-1]])
    values = list(columns.values())
    if not columns or not _are_distinct(columns, len(chosen)):
        return _in_sequence(names, chosen, others, text)
    ticks = [sorted(set(column)) for column in values]
    axes = tuple(Axis(label, len(each)) for label, each in zip(columns, ticks, strict=True))
    if math.prod(axis.size for axis in axes) > _MAX_GAPS * len(chosen) + 100:
        return _in_sequence(names, chosen, others, text)
    order = np.full([axis.size for axis in axes], ABSENT, np.int64)
    place_of = [{value: place for place, value in enumerate(each)} for each in ticks]
    places = [[found[value] for value in column] for found, column in zip(place_of, values, strict=True)]
    order[tuple(map(np.array, places))] = chosen
    numbers = dict(zip(chosen, columns["T"], strict=True)) if "T" in columns else {}
    frame_numbers = [int(numbers.get(index, 0)) for index in range(len(names))] if numbers else []
    return Named(axes, order, frame_numbers, others, text)


def step_of(numbers: Sequence[int]) -> int:
    """Return the step by which numbers count frames, of which some may be missing; 0 if they do not count them."""
    steps = [after - before for before, after in pairwise(numbers)]
    if not steps:
        return 0
    step, often = Counter(steps).most_common(1)[0]
    even = step > 0 and all(each > 0 and not each % step for each in steps)
    few = even and sum(steps) // step <= _MAX_GAPS * len(numbers) + 100
    steady = often >= _MOST * len(steps) or (often >= 2 and len(steps) - often == 1)
    return step if few and steady else 0


def _parse(name: str) -> _Name:
    named = _WITH_CHANNEL_NAME.match(name)
    parts = re.split(r"(\d+)", (named[1] + named[3] if named else name).lower())
    text, numbers = parts[::2], tuple(map(int, parts[1::2]))
    if named:
        return _Name(tuple(text), numbers, ("t", "z"), named[2])
    found = [_LABEL.search(each) for each in text[:-1]]
    labels = tuple("" if label is None else label[1].lower() for label in found)
    for place, label in enumerate(labels):
        if _LETTERS.get(label) == "C":
            text[place + 1] = re.sub(r"^[^_\-. ]*", "", text[place + 1])  # the name of that channel
    return _Name(tuple(text), numbers, labels)


def _with_first(names: list[_Name], kind: tuple[str, ...]) -> list[_Name]:
    """Return the names with a number for the only one that has none, such as img.png before img_1.png."""
    if len(kind) != 2:
        return names
    without = re.sub(r"[_\- (]+$", "", kind[0]) + kind[1].removeprefix(")")
    first = [index for index, name in enumerate(names) if name.kind == (without,)]
    numbered = [name for name in names if name.kind == kind]
    if len(first) != 1 or not numbered:
        return names
    lowest = min(name.numbers[0] for name in numbered)
    return [
        numbered[0]._replace(numbers=(lowest - 1,)) if index == first[0] else name for index, name in enumerate(names)
    ]


def _columns(names: list[_Name]) -> dict[str, list[Any]]:
    """Return the numbers of all images along each axis, by its letter, or by its place among the numbers.

    Empty if the numbers do not tell the images apart.
    """
    numbers = [name.numbers for name in names]
    varying = [place for place in range(len(names[0].numbers)) if len({row[place] for row in numbers}) > 1]
    columns: dict[str, list[Any]] = {}
    rest = []
    if len({name.channel for name in names}) > 1:
        columns["C"] = [name.channel for name in names]
    for place in varying:
        label = names[0].labels[place]
        letter = "" if label in _ONLY_WITH_OTHERS and len(varying) == 1 else _LETTERS.get(label, "")
        if letter and letter not in columns:
            columns[letter] = [row[place] for row in numbers]
        else:
            rest.append(place)
    if not rest or (columns and _are_distinct(columns, len(names))):
        return columns
    if columns:
        for place in rest:
            label = f"number {place + 1}" if "T" in columns else "T"
            with_number = {label: [row[place] for row in numbers], **columns}
            if _are_distinct(with_number, len(names)):
                return with_number
        raise InputError("the names of its images have more numbers that vary than can be told apart")
    counting = [place for place in rest if all(a[place] < b[place] for a, b in pairwise(numbers))]
    if counting or len(rest) == 1:
        return {"T": [row[counting[-1] if counting else rest[0]] for row in numbers]}
    places = math.prod(len({row[place] for row in numbers}) for place in rest)
    if len(names) < _FEWEST * places:
        return {}
    return {f"number {place + 1}": [row[place] for row in numbers] for place in rest}


def _are_distinct(columns: dict[str, list[Any]], count: int) -> bool:
    return len(set(zip(*columns.values(), strict=True))) == count


def _in_sequence(names: Sequence[str], chosen: Sequence[int], others: list[int], kind: str) -> Named:
    """Return images as frames in the order of their names."""
    order = np.array(chosen, np.int64)
    return Named((Axis("T", len(order)),), order, [], others, kind)


def _several_kinds(kinds: Counter[tuple[str, ...]]) -> str:
    found = [f"{'#'.join(kind)} ({count})" for kind, count in kinds.most_common(4)]
    more = f" and {len(kinds) - 4} more" if len(kinds) > 4 else ""
    return f"its images have names of {len(kinds)} kinds, {', '.join(found)}{more}"
