"""Reads a folder of images, one frame each: what the frames are is read from the names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path

import numpy as np

from livetrack.errors import InputError
from livetrack.movies import micro_manager
from livetrack.movies.arrangement import arrange
from livetrack.movies.assembly import ABSENT, Numbers, assemble, first_frame, image_numbers
from livetrack.movies.image_files import IMAGE_SUFFIXES, TIFF_SUFFIXES, colours_of, image_size, load_image
from livetrack.movies.image_names import Named, arrange_names, natural_order, step_of
from livetrack.movies.inner import SESSION_FILE, inner_movie
from livetrack.movies.left_out import images_that_are_no_frames, listed
from livetrack.movies.movie import Image, LostFrame, Movie, MovieFrame
from livetrack.movies.selection import Selection
from livetrack.movies.stacks import count_images, open_stacks
from livetrack.movies.tiff import open_tiff
from livetrack.movies.timing import judge_times, pixel_size_doubts

__all__ = ["open_folder", "open_pattern"]

_TRIED_SIZES = 9


def open_folder(path: Path, selection: Selection, open_inner: Callable[[Path, Selection], Movie]) -> Movie:
    """Open the images in `path`: by the numbers in their names, or else in natural order, `image10` after `image9`.

    Without images, the only other movie or folder of a movie in it is opened with `open_inner`, or that of the selected
    position.

    Raises
    ------
    InputError
        The folder cannot be read or contains no movie or several; its images are of several kinds, channels, positions
        or planes of which none was chosen, or stacks that are not one recording.
    """
    try:
        files = sorted((file for file in path.iterdir() if file.is_file()), key=_order)
    except OSError as error:
        raise InputError(f"{path}: the folder cannot be read ({error.strerror})") from error
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        inner, selection, note = inner_movie(path, selection)
        movie = open_inner(inner, selection)
        return replace(movie, notes=[note, *movie.notes])
    kept = [file for file in images if not file.name.startswith(".")]
    hidden = len(images) - len(kept)
    notes = [f"{hidden} hidden {'file is' if hidden == 1 else 'files are'} left out"] if hidden else []
    kept = _frames_among(kept, notes)
    if not kept:
        raise InputError(f"{path}: the folder contains no images but hidden files")
    return _open(path, kept, selection, notes, is_pattern=False)


def open_pattern(path: Path, selection: Selection) -> Movie:
    """Open the images, or stacks that follow each other, whose paths match a pattern such as `folder/img_*.tif`.

    Raises
    ------
    InputError
        No file matches, or as `open_folder`.
    """
    files = sorted((file for file in map(Path, glob(str(path))) if file.is_file()), key=_order)
    if not files:
        raise InputError(f"{path}: no file matches this pattern")
    notes = list[str]()
    files = _frames_among(files, notes)
    unknown = [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES]
    if unknown:
        raise InputError(f"{path}: {unknown[0]} is no image that a pattern can choose ({' '.join(IMAGE_SUFFIXES)})")
    return _open(path, files, selection, notes, is_pattern=True)


def _frames_among(images: list[Path], notes: list[str]) -> list[Path]:
    """Return the images without thumbnails and annotated images, which are noted."""
    if no_frames := images_that_are_no_frames(images):
        notes.append(f"left out, as no frames: {listed(file.name for file in no_frames)}")
    return [file for file in images if file not in no_frames]


def _open(path: Path, files: list[Path], selection: Selection, notes: list[str], is_pattern: bool) -> Movie:
    try:
        stacks = [file for file in files if file.suffix.lower() in TIFF_SUFFIXES]
        if len(stacks) == len(files) and count_images(stacks[0]) > 1:
            return open_stacks(path, stacks, selection, notes, is_pattern or (path / SESSION_FILE).is_file())
        if not is_pattern:
            _refuse_stack_among_images(path, files, stacks)
        return _open_images(path, files, selection, notes)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error


def _refuse_stack_among_images(path: Path, files: Sequence[Path], stacks: Sequence[Path]) -> None:
    """Raise `InputError` for a stack that is most of a folder, among images of other names, such as a dark frame."""
    sizes = {file: file.stat().st_size for file in files}
    largest = max(stacks, key=sizes.__getitem__, default=None)
    if largest is None or 2 * sizes[largest] <= sum(sizes.values()):
        return
    others = [file for file in files if file != largest]
    kinds = {_kind(file) for file in others}
    if others and _kind(largest) not in kinds and count_images(largest) > 1:
        raise InputError(
            f"{path}: contains {largest.name}, a stack, and {listed(file.name for file in others)}; "
            f'open the stack alone, "{largest}"'
        )


def _kind(file: Path) -> str:
    return re.sub(r"\d+", "#", file.name.lower())


def _open_images(path: Path, files: list[Path], selection: Selection, notes: list[str]) -> Movie:
    """Open files of one image each."""
    named = _named(path, files, notes)
    arrangement = arrange(path, named.axes, selection)
    numbers, lacking = _with_gaps(image_numbers(named.order, arrangement), named, files, notes)
    sample = None if arrangement.has_channels else selection.channel

    def image(number: int) -> Image:
        return load_image(files[number], sample)

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        return assemble(numbers, image, selection.z, indices, lambda: "")

    first = first_frame(read, path, "choose others with a pattern such as img_*.png")
    present = [files[number] for number in numbers[:, 0].tolist() if number != ABSENT]
    shape = _usual_size(present) or first.pixels.shape
    if sample is None:
        notes += colours_of([present[0], present[len(present) // 2], present[-1]])
    interval_s = pixel_size_um = times_s = None
    if files[0].suffix.lower() in TIFF_SUFFIXES:
        one = open_tiff(files[int(numbers[first.number, 0])], Selection(sample))
        interval_s, pixel_size_um = 1 / one.fps if one.fps else None, one.pixel_size_um
        notes += one.notes
    if (recorded := micro_manager.read_folder(files[0].parent)) is not None:
        names = ["" if number == ABSENT else files[number].name for number in numbers[:, 0].tolist()]
        times_s = [recorded.times_s.get(name) for name in names]
        interval_s, pixel_size_um = interval_s or recorded.interval_s, pixel_size_um or recorded.pixel_size_um
    timing = judge_times(times_s, interval_s)
    return Movie(
        path,
        (shape[0], shape[1]),
        first.pixels.dtype,
        len(numbers),
        timing.fps,
        pixel_size_um,
        read,
        times=lambda: timing.times,
        lacking=lacking,
        notes=[*notes, *arrangement.notes, *timing.notes, *pixel_size_doubts(pixel_size_um)],
    )


def _named(path: Path, files: Sequence[Path], notes: list[str]) -> Named:
    try:
        named = arrange_names([file.name for file in files])
    except InputError as error:
        example = _pattern(path, files[0])
        raise InputError(f'{path}: {error}; choose some with a pattern such as "{example}"') from None
    if named.others:
        names = listed(files[index].name for index in named.others)
        notes.append(
            f"left out, as their names are not like {named.kind}: {names}; "
            f'a pattern such as "{_pattern(path, files[named.others[0]])}" chooses others'
        )
    return named


def _pattern(path: Path, file: Path) -> Path:
    """Return a pattern that matches the names that are like that of a file."""
    folder = path if path.is_dir() else path.parent
    stem = file.stem.rstrip("0123456789")
    text = f"{stem or file.stem}*" if stem != file.stem else re.sub(r"\d+", "*", f"{stem}*")
    return folder / f"{text}{file.suffix}"


def _with_gaps(numbers: Numbers, named: Named, files: Sequence[Path], notes: list[str]) -> tuple[Numbers, str]:
    """Return the images of each frame, with frames of which none is there where the numbers in the names skip some.

    Numbers count frames if they grow mostly by the same step. The second value says which are missing.
    """
    present = numbers[(numbers != ABSENT).any(axis=1)]
    if len(present) < 2:
        return present, ""
    if not named.frame_numbers:
        if len(named.axes) == 1 and named.axes[0].name == "T":
            notes.append("its images are read in the order of their names, which do not count them")
        return present, ""
    counted = [named.frame_numbers[int(row[row != ABSENT][0])] for row in present]
    step = step_of(counted)
    if not step:
        notes.append(
            "the numbers in the names do not count frames evenly: images are read in their order, without gaps"
        )
        return present, ""
    places = (np.array(counted) - counted[0]) // step
    complete = np.full((int(places[-1]) + 1, numbers.shape[1]), ABSENT, np.int64)
    complete[places] = present
    if counted[0] > 1:
        notes.append(f"frame 0 is {files[int(present[0].max())].name}")
    gaps = np.flatnonzero(np.diff(places) > 1)
    if not len(gaps):
        return complete, ""
    more = f" and at {len(gaps) - 1} more places" if len(gaps) > 1 else ""
    missing = len(complete) - len(present)
    are = "image is" if missing == 1 else "images are"
    return complete, f"{missing} {are} missing after {files[int(present[gaps[0]].max())].name}{more}"


def _usual_size(files: Sequence[Path]) -> tuple[int, int] | None:
    """Return (H, W) of most of a few images, the first of them if there are as many of another; None if unknown."""
    chosen = sorted(set(np.linspace(0, len(files) - 1, _TRIED_SIZES).round().astype(int).tolist()))
    sizes = Counter(size for size in (image_size(files[index]) for index in chosen) if size is not None)
    return sizes.most_common(1)[0][0] if sizes else None


def _order(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    return natural_order(str(file)), file.name
