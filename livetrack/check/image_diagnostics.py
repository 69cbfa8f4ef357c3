"""Findings about the images of a movie: interlacing, compression, hot pixels, fixed pattern, illumination."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import pixel_noise
from livetrack.check.diagnostics import is_blank, percent
from livetrack.check.finding import Finding

__all__ = ["image_diagnostics"]

Image = npt.NDArray[Any]

_MAX_FRAMES = 8
_PART_PX = 768  # side of the middle of large frames, in which all but the illumination is measured
_COUNTED_FRAMES = 3  # in which all grey levels are listed
_BLOCK_PX = 8
_MIN_BLOCKS = 6  # along an axis
_BLOCKINESS = 1.06  # contrast across the grid over that within the blocks
_CERTAIN = 6.0  # standard errors
_MIN_COPIED = 0.03  # of the blocks, beyond what is equal off the grid
_COMBED = 1.3  # squared difference of neighbouring rows over that of every second row
_MIN_COMBED_VARIANCE = 2.0  # of the noise
_HOT = 12.0  # standard deviations in every frame
_ALONE = 0.2  # of the excess: more in the neighbours is a small particle
_MIN_HOT = 3
_PATTERN = 1.0  # fixed pattern over noise
_UNEVEN = 0.5  # of the median background, between the 5th and the 95th percentile of its tiles
_SMOOTH = 0.85  # of the variance of the tiles that a quadratic surface explains
_TILES = 8
_WHITE = 1.5  # second differences across pairs of pixels over those across pixels, of a pattern of single pixels
_ROUNDING = 1 / math.sqrt(12)


def image_diagnostics(frames: Sequence[Image]) -> list[Finding]:
    """Return what is wrong with the images; `frames` are (H, W) each, the same size, in order, but not all of them."""
    if is_blank(frames):
        return []
    chosen = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, _MAX_FRAMES).round().astype(int))]
    images = [_floats(frame) for frame in chosen]
    integers = frames[0].dtype.kind in "ui"
    found = [_interlaced(images), _compressed(images, frames), _coarse(chosen), _uneven_light(chosen)]
    if len(images) > 3:
        found += [_hot_pixels(chosen, integers), _fixed_pattern(images, integers)]
    return [each for each in found if each is not None]


def _central(frame: Image) -> Image:
    """Return the middle of a large frame; its first row and column are on the grid of blocks."""
    top, left = (max(0, side - _PART_PX) // 2 // _BLOCK_PX * _BLOCK_PX for side in frame.shape)
    return frame[top : top + _PART_PX, left : left + _PART_PX]


def _floats(frame: Image) -> Image:
    """Return the middle of a frame as float32, or as float64 if its values may be too large for squares of these."""
    return _central(frame).astype(np.float64 if frame.dtype.kind == "f" else np.float32)


def _interlaced(images: Sequence[Image]) -> Finding | None:
    """Find combs, the moving edges of interlaced video: neighbouring rows differ more than every second one."""
    near, far, across_near, across_far, noise = [], [], [], [], []
    for image in images:
        rows = image - image.mean(axis=1, keepdims=True)  # a pattern of whole rows is no comb
        near.append(np.square(np.diff(rows, axis=0)).mean())
        far.append(np.square(rows[2:] - rows[:-2]).mean())
        across_near.append(np.square(np.diff(rows, axis=1)).mean())
        across_far.append(np.square(rows[:, 2:] - rows[:, :-2]).mean())
        noise.append(2 * pixel_noise(image) ** 2)
    ratio, across = (
        float(np.mean(near) / max(np.mean(far), 1e-12)),
        float(np.mean(across_near) / max(np.mean(across_far), 1e-12)),
    )
    if ratio < _COMBED or across > 1.05 or np.mean(near) < _MIN_COMBED_VARIANCE * np.mean(noise):
        return None
    text = f"interlaced: neighbouring rows differ {math.sqrt(ratio):.1f} times as much as every second one"
    return Finding(
        "interlaced",
        text,
        "record progressive frames, or track one field (every second row)",
        {"ratio": math.sqrt(ratio)},
    )


def _compressed(images: Sequence[Image], frames: Sequence[Image]) -> Finding | None:
    """Find what lossy compression leaves: steps at the edges of blocks, or blocks copied from the frame before."""
    steps = [_grid_contrast(images, axis) for axis in (0, 1)]
    contrast = min((ratio for ratio, certain in steps if certain), default=1.0)
    both = all(certain for _, certain in steps)
    copied = _copied_blocks(frames)
    if not (both and contrast > _BLOCKINESS) and copied < _MIN_COPIED:
        return None
    sign = (
        f"steps at the edges of {_BLOCK_PX}x{_BLOCK_PX} px blocks, {contrast:.2g} times as high as those within"
        if both and contrast > _BLOCKINESS
        else f"{percent(copied)} of the {_BLOCK_PX}x{_BLOCK_PX} px blocks are copies from the frame before"
    )
    cure = "precision suffers and uncertainties are too small; record without compression, or lossless"
    return Finding("compressed", f"compressed with loss: {sign}", cure, {"contrast": contrast, "copied": copied})


def _grid_contrast(images: Sequence[Image], axis: int) -> tuple[float, bool]:
    """Return the contrast at the edges of blocks over that within, and whether that is certain."""
    lines = np.mean([np.abs(np.diff(image, axis=axis)).mean(axis=1 - axis) for image in images], axis=0)
    count = lines.size // _BLOCK_PX
    if count < _MIN_BLOCKS:
        return 1.0, False
    second = lines[1:-1] - (lines[:-2] + lines[2:]) / 2  # over the neighbours, so that particles cancel
    phases = [second[phase::_BLOCK_PX] for phase in range(_BLOCK_PX)]
    edge = phases[_BLOCK_PX - 2]
    others = np.concatenate([phases[phase] for phase in (1, 2, 3, 4)])
    excess = float(np.median(edge) - np.median(others))
    error = 1.4826 * float(np.median(np.abs(others - np.median(others)))) * math.sqrt(math.pi / 2 / edge.size)
    return 1 + excess / max(float(np.median(lines)), 1e-12), excess > _CERTAIN * error


def _copied_blocks(frames: Sequence[Image]) -> float:
    """Return the fraction of blocks that equal those of the frame before, beyond the fraction off the grid."""
    on, off, half = [], [], _BLOCK_PX // 2
    for before, after in pairwise(frames[: _MAX_FRAMES + 1]):
        before, after = _central(before), _central(after)
        equal = before == after
        if equal.all():
            continue  # a frame saved twice
        flat = np.zeros_like(equal)
        flat[:, 1:] = after[:, 1:] == after[:, :-1]
        on.append(_full_blocks(equal) - _full_blocks(equal & flat))
        off.append(_full_blocks(equal[half:, half:]) - _full_blocks(equal[half:, half:] & flat[half:, half:]))
    return float(np.mean(on) - np.mean(off)) if on else 0.0


def _full_blocks(mask: npt.NDArray[np.bool_]) -> float:
    height, width = (side // _BLOCK_PX for side in mask.shape)
    cut = mask[: height * _BLOCK_PX, : width * _BLOCK_PX]
    return float(cut.reshape(height, _BLOCK_PX, width, _BLOCK_PX).all(axis=(1, 3)).mean()) if cut.size else 0.0


def _coarse(frames: Sequence[Image]) -> Finding | None:
    """Find grey levels that are multiples of a step wider than the noise: few bits, stretched over more."""
    if frames[0].dtype.kind not in "ui":
        return None
    some = frames[:: math.ceil(len(frames) / _COUNTED_FRAMES)]
    levels = np.unique(np.concatenate([np.unique(_central(frame)) for frame in some]))
    step = int(np.gcd.reduce(np.diff(levels).astype(np.int64))) if levels.size > 1 else 1
    if step == 1 or levels.size > 200 or levels.size <= 2:
        return None
    text = f"only every {step}th grey level is used, {levels.size} in all: the camera delivered fewer bits"
    return Finding("coarse", text, "use its highest bit depth", {"step": step, "levels": float(levels.size)})


def _uneven_light(frames: Sequence[Image]) -> Finding | None:
    """Find a smooth background that varies by more than half of its median."""
    middle = frames[len(frames) // 2]
    if min(middle.shape) < 8 * _TILES:
        return None
    rows, columns = (np.linspace(0, side, _TILES + 1).astype(int) for side in middle.shape)
    some = frames[0], middle, frames[-1]
    tiles = np.array(
        [
            [
                np.median([np.median(frame[top:bottom, left:right]) for frame in some])
                for left, right in pairwise(columns)
            ]
            for top, bottom in pairwise(rows)
        ],
        np.float64,
    )
    y, x = np.mgrid[-1 : 1 : _TILES * 1j, -1 : 1 : _TILES * 1j]
    terms = np.stack([term.ravel() for term in (np.ones_like(x), x, y, x * x, x * y, y * y)], axis=1)
    smooth = terms @ np.linalg.lstsq(terms, tiles.ravel(), rcond=None)[0]
    low, median, high = float(smooth.min()), float(np.median(tiles)), float(smooth.max())
    noise = max(pixel_noise(_central(middle)), _ROUNDING)
    explained = 1 - (tiles.ravel() - smooth).var() / max(float(tiles.var()), 1e-12)
    if high - low < max(_UNEVEN * abs(median), 5 * noise) or explained < _SMOOTH:
        return None
    text = f"uneven illumination: the background is {low:.4g} to {high:.4g} grey levels from place to place"
    cure = "centre the lamp or the laser, or divide by an image of the empty field; precision varies with the place"
    return Finding("uneven light", text, cure, {"low": low, "high": high})


def _hot_pixels(frames: Sequence[Image], integers: bool) -> Finding | None:
    """Find single pixels that exceed all neighbours in every frame."""
    images = [_floats(frame) for frame in frames]
    noise = max(float(np.median([pixel_noise(image) for image in images])), _ROUNDING if integers else 1e-6)
    lowest = np.minimum.reduce(images)[1:-1, 1:-1]
    mean = np.mean(images, axis=0)
    near = [
        mean[1 + down : mean.shape[0] - 1 + down, 1 + right : mean.shape[1] - 1 + right]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        if (down, right) != (0, 0)
    ]
    around = np.median(near, axis=0)
    excess = lowest - around
    hot = (excess > _HOT * noise) & (np.maximum.reduce(near) - around < _ALONE * excess)
    count = int(hot.sum())
    if count < _MIN_HOT:
        return None
    row, column = (int(index[0]) + 1 for index in np.nonzero(hot))
    text = f"{count} hot pixels, such as x={column + _offset(frames, 1)}, y={row + _offset(frames, 0)}, in every frame"
    cure = "switch on the camera's correction, or subtract a dark image: they become particles that stand still"
    return Finding("hot pixels", text, cure, {"count": count})


def _offset(frames: Sequence[Image], axis: int) -> int:
    return int(max(0, frames[0].shape[axis] - _PART_PX) // 2 // _BLOCK_PX * _BLOCK_PX)


def _fixed_pattern(images: Sequence[Image], integers: bool) -> Finding | None:
    """Find what is left of the pixel noise in the mean of all frames, beyond what averaging leaves."""
    noise = float(np.median([pixel_noise(image) for image in images]))
    if noise <= (_ROUNDING if integers else 0.0):
        return None
    changing = float(np.median([pixel_noise(after - before) for before, after in pairwise(images)])) / math.sqrt(2)
    if changing < noise / 4:
        return None  # the same image again and again
    average = np.mean(images, axis=0)
    mean, halved = pixel_noise(average), pixel_noise(average[:-1:2, :-1:2] + average[1::2, 1::2]) / math.sqrt(2)
    if halved > _WHITE * mean:
        return None  # structures of several pixels: a sample that stands still
    pattern = math.sqrt(max(0.0, mean**2 - changing**2 / len(images)))
    if pattern < _PATTERN * changing:
        return None
    text = f"a fixed pattern of {pattern:.2g} grey levels stays in place, where the noise is {changing:.2g}"
    cure = "subtract an image of the empty field, or use the camera's correction"
    return Finding("fixed pattern", text, cure, {"pattern": pattern, "noise": changing})
