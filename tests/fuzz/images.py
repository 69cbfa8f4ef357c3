"""Images in a folder, and videos, as `open_movie` reads them."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

from livetrack.movies import open_movie

from .changes import change_bytes
from .target import Input
from .tiff import collected_log_lines

__all__ = ["ImageTarget"]

_KINDS = ("png", "bmp", "jpg", "pgm", "ppm", "tif")


class ImageTarget:
    """Second of two images in a folder, and short videos."""

    watched = ("livetrack/movies/", "/PIL/")

    def inputs(self, folder: Path) -> list[Input]:
        """Return an image of each kind, each for a folder of its own with a whole image before it, and videos."""
        image = np.random.default_rng(0).integers(90, 160, (24, 32)).astype(np.uint8)
        inputs = []
        for kind in _KINDS:
            images = folder / kind
            images.mkdir()
            pixels = Image.fromarray(np.stack([image] * 3, -1) if kind in ("ppm", "bmp") else image)
            pixels.save(images / f"0.{kind}")
            inputs.append(Input(f"{kind}/1.{kind}", (images / f"0.{kind}").read_bytes(), tuple(range(0, 60, 2)), ">"))
        for name, codec in {"video.avi": "mpeg4", "video.mp4": "mpeg4", "video.mkv": "ffv1"}.items():
            with av.open(str(folder / name), "w") as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
                for number in range(6):
                    frame = av.VideoFrame.from_ndarray(image + np.uint8(number), format="gray")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            inputs.append(Input(name, (folder / name).read_bytes(), (), ">"))
        return inputs

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change any bytes, mostly at the beginning of images."""
        return change_bytes(one.data, rng, one.places, one.order)

    def read(self, folder: Path, name: str) -> str:
        """Read all frames: the whole image comes first."""
        path = folder / name
        with collected_log_lines():
            movie = open_movie(path.parent if path.parent != folder else path)
            frames = sum(1 for _ in islice(movie, 500))
        if path.parent != folder:
            assert frames >= 1
            assert frames == 2 or movie.problem, frames
        return "read with a word" if movie.problem else "read"
