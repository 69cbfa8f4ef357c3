"""Settings of the simulated microscope, `[camera.simulated]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["SimulatedSettings"]

Side = Annotated[int, Meta(ge=16, le=16384)]
Positive = Annotated[float, Meta(ge=1e-9, le=1e9)]  # wider than any microscope, and sums cannot overflow
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class SimulatedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.simulated]`: the camera, the sample, the illumination, and simulated faults."""

    seed: Annotated[int, Meta(ge=0)] = 1
    """The same seed gives the same frames, on any computer at any speed."""

    # the camera
    width: Side = 512
    height: Side = 512
    fps: Annotated[float, Meta(ge=1e-6, le=100_000)] = 100.0
    exposure_ms: NotNegative = 8.0
    """Motion during the exposure blurs the image; at most the time between two frames."""
    pixel_size_um: Positive = 0.1
    """µm in the sample per pixel."""
    lockstep: bool = False
    """Simulated time, which waits for the tracker, instead of real time."""
    loop_frames: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """0 renders every frame; N renders N frames at the start and plays them back and forth."""

    # the sample
    particle: Literal["spot", "bead"] = "spot"
    """A fluorescent spot, or a bead in bright field."""
    contrast: Literal["bright", "dark"] = "bright"
    count: Annotated[int, Meta(ge=0, le=100_000)] = 60
    size_um: Positive = 0.15
    """Size of the image: standard deviation of a spot; scale of a bead, whose core falls to half at 1.6 of it."""
    ring: Annotated[float, Meta(ge=-10, le=10)] = -0.5
    """Beads: weight of the first ring relative to the core; negative for the opposite contrast."""
    signal: NotNegative = 150.0
    """Photoelectrons of the peak pixel of a particle, over (or under) the background."""
    spread: Fraction = 0.2
    """Relative standard deviation of size and signal from particle to particle."""
    diffusion_um2_s: NotNegative = 0.2
    """Diffusion constant of a particle with `size_um`; for others it is inversely proportional to the size."""
    drift_um_s: tuple[float, float] = (0.5, 0.0)
    """Velocity of all particles, to the right and down."""
    min_distance_um: NotNegative = 0.0
    """Minimum distance of particles at the start, and half of that to the image's edge; 0: none."""

    # a trap, and the delay of the actuators
    trap_stiffness_pn_um: NotNegative = 0.0
    """Stiffness of an optical trap that holds the first particle, initially at the image centre; 0: no trap."""
    temperature_k: Positive = 295.15
    """Determines, with the stiffness, the fluctuations of the trapped particle."""
    actuation_delay_frames: Annotated[int, Meta(ge=0, le=1000)] = 0
    """A command to stage, trap or flow takes effect at the end of the current exposure, or this many frames later."""
    await_orders: bool = False
    """In lock-step: wait for a command before each exposure, including the first one, as if the client were infinitely
    fast: feedback that does not depend on the computer's speed."""

    # the illumination
    background: NotNegative = 100.0
    """Photoelectrons per pixel and frame. Below 20, a frame takes 20 times as long to render: set `loop_frames`."""
    gradient: Annotated[float, Meta(ge=-2, le=2)] = 0.2
    """Rise of the background from the left to the right edge, relative to its mean."""
    flicker: Fraction = 0.0
    """Relative standard deviation of all light from frame to frame."""

    # camera noise
    gain: Positive = 1.0
    """Grey levels per photoelectron."""
    offset: NotNegative = 100.0
    """Grey level of a pixel without light."""
    read_noise: NotNegative = 1.5
    """Standard deviation, electrons."""
    bit_depth: Annotated[int, Meta(ge=1, le=16)] = 16

    # simulated faults; 0 for none
    drop_every: Annotated[int, Meta(ge=0)] = 0
    """Interval, in frames, after which `drop_frames` frames are lost: the frame number jumps."""
    drop_frames: Annotated[int, Meta(ge=1)] = 1
    """Frames lost each time."""
    stall_at_s: NotNegative = 0.0
    """Time after the start at which the camera stalls for `stall_s`."""
    stall_s: NotNegative = 0.0
    disconnect_at_s: NotNegative = 0.0
    """Time after the start at which the camera disconnects, once; it can be opened again."""
