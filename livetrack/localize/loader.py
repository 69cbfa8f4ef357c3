"""Loads a localizer by name: a shipped model, an ONNX file, a classical method or a plug-in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from livetrack.errors import LivetrackError, ModelError
from livetrack.localize.classical import METHODS, ClassicalLocalizer, Contrast
from livetrack.localize.enlarged import EnlargedLocalizer
from livetrack.localize.every_scale import EveryScaleLocalizer
from livetrack.localize.localizer import Localizer
from livetrack.localize.models import find_model, installed_localizers, shipped_models
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.refine.radial import CameraNoise
from livetrack.localize.scaled import SCALES, ScaledLocalizer, check_scale

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["load_localizer", "load_plugin"]


def load_localizer(
    model: str | Path = "spot",
    *,
    threshold: float | None = None,
    threads: int = 0,
    provider: str = "auto",
    profile_fit: bool = True,
    diameter_px: float | None = None,
    contrast: Contrast | None = None,
    camera: CameraNoise | None = None,
    scale: float | Literal["auto"] = 1.0,
) -> Localizer:
    """Load a localizer.

    An installed localizer is built with those of the options below, except `threshold`, that are set and that it has a
    parameter for. `diameter_px` and `contrast` are rejected if it has none.

    Parameters
    ----------
    model
        The name of a shipped model, "centroid", "radial_symmetry", the name of an installed localizer (an entry point
        of the group `livetrack.localizers`), or an ONNX file made by `livetrack train`.
    threshold
        Minimum score of a row, 0..1; None for the localizer's default.
    threads, provider
        See `NetworkLocalizer`; the classical methods run on one thread of the CPU.
    profile_fit
        For networks: fit each particle's intensity profile after the search, for positions at the limit that the noise
        sets.
    diameter_px, contrast
        Of the particles, for the classical methods (see `ClassicalLocalizer`); networks have learnt them.
    camera
        Its noise, for the profile fit; None to estimate it from each image.
    scale
        For networks: of the image that is searched, over the image's own, one of `SCALES`: with 0.25, particles 4 times
        as large as those of the model are found; or 2, for half the size. "auto": all `SCALES`, for particles of any
        size (`EveryScaleLocalizer`).

    Raises
    ------
    ModelError
        The model or provider does not exist or cannot be used, or the localizer has no such option.
    """
    name, plugins = str(model), installed_localizers()
    about_particles = _given(diameter_px=diameter_px, contrast=contrast)
    about_scale = _given(scale=None if scale == 1 else scale)
    if name in METHODS:
        if about_scale:
            raise ModelError(f"{name}: scale belongs to networks; set diameter_px instead")
        return ClassicalLocalizer(name, **_given(threshold=threshold), **about_particles)
    if name in plugins and name not in shipped_models():
        about_running = _given(
            threads=threads or None, provider=None if provider == "auto" else provider,
            profile_fit=None if profile_fit else False, camera=camera,
        )  # fmt: skip
        localizer = _build(plugins[name], {**about_particles, **about_scale}, about_running)
        localizer.threshold = localizer.default_threshold if threshold is None else threshold
        return localizer
    path = find_model(model)
    if about_particles:
        raise ModelError(f"model {model}: diameter_px and contrast belong to {' and '.join(METHODS)} only")
    check_scale(scale)

    def network(halvings: int, *, fit: bool = profile_fit) -> NetworkLocalizer:
        return NetworkLocalizer(
            path, threshold=threshold, threads=threads, provider=provider, profile_fit=fit,
            camera=camera and camera.of_means(4**halvings),
        )  # fmt: skip

    def scaled(halvings: int) -> ScaledLocalizer:
        return ScaledLocalizer(network(halvings), halvings, camera=camera, threads=threads)

    if scale == 1:
        return network(0)
    if scale == 2:
        return EnlargedLocalizer(network(0, fit=False), camera=camera, threads=threads, profile_fit=profile_fit)
    if scale == "auto":
        return EveryScaleLocalizer([scaled(n) for n in range(len(SCALES))])
    return scaled(SCALES.index(scale))


def load_plugin(plugin: EntryPoint) -> Callable[..., Localizer]:
    """Import the class or function of an installed localizer.

    Raises
    ------
    ModelError
        It cannot be imported.
    """
    try:
        factory: Callable[..., Localizer] = plugin.load()
    except Exception as error:  # a plug-in may raise anything
        raise ModelError(f"{_where(plugin)} cannot be imported: {_line(error)}") from error
    return factory


def _build(plugin: EntryPoint, required: dict[str, Any], optional: dict[str, Any]) -> Localizer:
    """Build an installed localizer, which must accept the `required` options. Raises `ModelError`."""
    factory, where = load_plugin(plugin), _where(plugin)
    try:
        accepted = inspect.signature(factory).parameters
        refused = required.keys() - accepted.keys()
        if refused:
            raise ModelError(f"{where} has no option {' or '.join(sorted(refused))}; leave it out")
        options = {name: value for name, value in {**required, **optional}.items() if name in accepted}
        localizer = factory(**options)
    except LivetrackError:
        raise
    except Exception as error:  # likewise
        raise ModelError(f"{where} cannot be built: {_line(error)}") from error
    missing = [name for name in dir(Localizer) if not name.startswith("_") and not hasattr(localizer, name)]
    if missing:
        raise ModelError(f"{where} is no localizer: it lacks {', '.join(missing)}; inherit from livetrack.Localizer")
    localizer.name = localizer.name or plugin.name
    return localizer


def _where(plugin: EntryPoint) -> str:
    package = f", package {plugin.dist.name}" if plugin.dist else ""
    return f"localizer {plugin.name} (entry point {plugin.value}{package})"


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
