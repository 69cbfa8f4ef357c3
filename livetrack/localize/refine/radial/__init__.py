"""The radial fit: refines round particles by least squares on their own radial intensity profile.

The network finds a particle's position to a fraction of a pixel. From there the grey levels around it are fitted by

    z(x, y) = f(r) + a dx + b dy,    f(r) = sum over k of c_k B(r / h - k),

with dx, dy and r measured from the centre, B the cubic B-spline, f even in r and constant beyond the particle, and
(a, b) the slope of the background. Nothing is assumed of the particle except that it is round: it may be a spot, a
bead or a ring, dark or bright. Gauss-Newton steps solve for profile, slope and centre together. The profile is even
about the centre and a shift is odd, so that neither unknown costs the other any precision: the fit stays near the
Cramér-Rao bound of a known particle, and its error has no floor at high signal.

Patches of pixels that this model does not describe (the edge of something large, dirt, clipped pixels) are given less
weight, the less the worse they fit.

Where noise would dominate the profile, the profiles that the model was trained on constrain it (`profile_prior`). The
noise model, variance against grey level, is that of the camera or is estimated from the image (`noise_model`).
"""

from livetrack.localize.refine.radial.fit import fit_profiles
from livetrack.localize.refine.radial.noise_model import CameraNoise
from livetrack.localize.refine.radial.profile_prior import PROFILE_STEP_PX, ProfilePrior, radial_profile
from livetrack.localize.refine.radial.refiner import RadialRefiner

__all__ = ["PROFILE_STEP_PX", "CameraNoise", "ProfilePrior", "RadialRefiner", "fit_profiles", "radial_profile"]
