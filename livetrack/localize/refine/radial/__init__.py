"""The radial fit: refines round particles by least squares on their own radial intensity profile.

The network finds a particle's position to a fraction of a pixel. From there the grey levels around it are fitted by

    z(x, y) = level + a dx + b dy + f(r),    f(r) = sum over k of c_k B(r / h - k),

with dx, dy and r measured from the centre, B the cubic B-spline, f even in r and 0 beyond the core, and (a, b) the
slope of the background. Nothing is assumed of the particle except that it is round: it may be a spot, a bead or a ring,
dark or bright. A Gauss-Newton `step` solves for background, profile and centre together. The profile is even about the
centre and a shift is odd, so that neither unknown costs the other any precision: the fit stays near the Cramér-Rao
bound of a known particle, and its error has no floor at high signal.

Neighbours are subtracted as far as they are known, one after the other. Patches of pixels that the model does not
describe (the edge of something large, dirt, clipped pixels) are given less weight, the less the worse they fit.

What the particles of an image have in common is their `Population`: the radius of the core, the mean profile and how
far it varies, and the noise against the grey level. It constrains the profiles where noise would dominate them, and
weights the pixels. It is found from the image, or recalled from the frames before.
"""

from livetrack.localize.refine.radial.noise_model import CameraNoise
from livetrack.localize.refine.radial.population import Population
from livetrack.localize.refine.radial.prior import PROFILE_STEP_PX, ProfilePrior, radial_profile
from livetrack.localize.refine.radial.refiner import RadialRefiner

__all__ = ["PROFILE_STEP_PX", "CameraNoise", "Population", "ProfilePrior", "RadialRefiner", "radial_profile"]
