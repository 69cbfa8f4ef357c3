"""What can be set of the simulated microscope: `[camera.simulated]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["SimulatedSettings"]

Side = Annotated[int, Meta(ge=16, le=16384)]
Positive = Annotated[float, Meta(ge=1e-9, le=1e9)]  # wider than any microscope: sums stay within their range
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]


class SimulatedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.simulated]`: the camera, the sample, the light, and the faults to order."""

    seed: Annotated[int, Meta(ge=0)] = 1
    """The same seed gives the same frames, on any machine at any speed."""

    # the camera
    width: Side = 512
    height: Side = 512
    fps: Annotated[float, Meta(ge=1e-6, le=100_000)] = 100.0
    exposure_ms: NotNegative = 8.0
    """Motion within it blurs the image; at most the time between two frames."""
    pixel_size_um: Positive = 0.1
    """µm in the sample per pixel."""
    lockstep: bool = False
    """Wait for the tracker, with simulated time, instead of keeping the frame rate by the clock."""
    loop_frames: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """0 renders every frame; N renders N frames at the start and plays them forwards and backwards in turn."""

    # the sample
    particle: Literal["spot", "bead"] = "spot"
    """A fluorescent spot, or a bead in bright field."""
    contrast: Literal["bright", "dark"] = "bright"
    count: Annotated[int, Meta(ge=0, le=100_000)] = 60
    size_um: Positive = 0.15
    """Of the image: a spot's standard deviation; the scale of a bead, whose core falls to half at 1.6 of it."""
    ring: Annotated[float, Meta(ge=-10, le=10)] = -0.5
    """Beads: the weight of the first ring against that of the core; negative for the opposite contrast."""
    signal: NotNegative = 150.0
    """Photoelectrons of a particle's extreme pixel over (or under) the background."""
    spread: Share = 0.2
    """Relative standard deviation of size and of signal from particle to particle."""
    diffusion_um2_s: NotNegative = 0.2
    """Diffusion constant D at `size_um`; particles of other sizes have it in inverse proportion to theirs."""
    drift_um_s: tuple[float, float] = (0.5, 0.0)
    """Velocity of all particles, to the right and down."""
    min_distance_um: NotNegative = 0.0
    """At the start: the least distance of particles, and half of it to the image's edge; 0 places them anywhere."""

    # a trap, and how soon what moves obeys
    trap_stiffness_pn_um: NotNegative = 0.0
    """Of an optical trap that holds the first particle, pN/µm; at the start in the middle of the image. 0: none."""
    temperature_k: Positive = 295.15
    """With the stiffness it says how far the trapped particle strays."""
    actuation_delay_frames: Annotated[int, Meta(ge=0, le=1000)] = 0
    """An order to stage, trap or flow takes effect once the exposure before it is over, or so many frames later."""
    await_orders: bool = False
    """In lock-step: wait before each exposure for an order, the first one included, as if the client were infinitely
    quick: feedback that does not depend on the machine's speed."""

    # the light
    background: NotNegative = 100.0
    """Photoelectrons per pixel and frame. Below 20 a frame takes 20 times as long: then set `loop_frames`."""
    gradient: Annotated[float, Meta(ge=-2, le=2)] = 0.2
    """Rise of the background from the left edge to the right one, relative to its mean."""
    flicker: Share = 0.0
    """Relative standard deviation of all light from frame to frame."""

    # the camera's noise
    gain: Positive = 1.0
    """Grey levels per photoelectron."""
    offset: NotNegative = 100.0
    """Grey level of a pixel without light."""
    read_noise: NotNegative = 1.5
    """Standard deviation, electrons."""
    bit_depth: Annotated[int, Meta(ge=1, le=16)] = 16

    # faults to order; 0 for none
    drop_every: Annotated[int, Meta(ge=0)] = 0
    """After so many frames delivered, some are lost on the way: the frame number jumps."""
    drop_frames: Annotated[int, Meta(ge=1)] = 1
    """How many are lost each time."""
    stall_at_s: NotNegative = 0.0
    """Time after the start at which no frame comes for `stall_s`."""
    stall_s: NotNegative = 0.0
    disconnect_at_s: NotNegative = 0.0
    """Time after the start at which the camera is gone, once: it can be opened again."""
