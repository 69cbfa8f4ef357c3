"""Precision: the centre of a round particle by least squares on its own radial profile.

The network says where a particle is to a fraction of a pixel, whatever else is in the picture. From there the
grey levels around it are fitted by

    z(x, y) = f(r) + a dx + b dy,    f(r) = sum over k of c_k B(r / h - k),

with dx, dy and r taken from the centre, B the cubic B-spline, and f even in r and level beyond the particle. Nothing
is assumed of the particle but that it is round: it may be a spot, a bead, a ring, dark or bright; a and b are the
slope of the background. Profile, slope and centre are solved for together, by Gauss-Newton steps. A profile is even
about the centre and a shift is odd, so that the one unknown costs the other nothing: the fit stays near the
Cramer-Rao bound of a known particle, and has no floor at high signal.

Patches of pixels that this does not describe (the edge of something large, dirt, an end of the grey scale) count the
less, the further they are off.

Where the noise would rule the profile, what the model has learnt of its particles' profiles steps in (`prior`). The
noise's variance rises with the grey level by a law that is given, or found from the image (`noise_law`).
"""

from livetrack.localize.refine.radial.fit import fit_profiles
from livetrack.localize.refine.radial.noise_model import CameraNoise
from livetrack.localize.refine.radial.profile_prior import PROFILE_STEP_PX, ProfilePrior, radial_profile
from livetrack.localize.refine.radial.refiner import RadialRefiner

__all__ = ["PROFILE_STEP_PX", "CameraNoise", "ProfilePrior", "RadialRefiner", "fit_profiles", "radial_profile"]
