"""A localizer for livetrack: the centroid around each bright local maximum."""

import numpy as np

from livetrack.errors import InputError
from livetrack.localize import Localizer
from livetrack.particles import Flag, empty_rows


class Maxima(Localizer):
    def find(self, image):
        if image.ndim != 2 or image.dtype.kind not in "iuf" or not np.isfinite(image).all():
            raise InputError(f"cannot search {image.dtype} of shape {image.shape}: (H, W) finite numbers are needed")
        light = image - np.median(image)
        boxes = np.lib.stride_tricks.sliding_window_view(np.pad(light, 2), (5, 5))  # (H, W, 5, 5)
        score = light / np.maximum(light + 7.4 * np.median(abs(light)), 1e-9)  # 0.5 at 5 times the noise
        y, x = np.nonzero((light == boxes.max((2, 3))) & (light > 0) & (score >= self.threshold))
        boxes, rows = boxes[y, x].clip(0), empty_rows(len(x))
        rows["x"] = x + boxes.sum(1) @ np.arange(-2, 3) / boxes.sum((1, 2))
        rows["y"] = y + boxes.sum(2) @ np.arange(-2, 3) / boxes.sum((1, 2))
        rows["intensity"], rows["score"] = light[y, x], score[y, x]
        at_edge = (np.minimum(x, y) < 2) | (x >= image.shape[1] - 2) | (y >= image.shape[0] - 2)
        rows["flags"][at_edge] = Flag.EDGE
        return rows
