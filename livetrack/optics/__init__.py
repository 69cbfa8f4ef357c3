"""Images of particles as a camera gives them: shared by the simulated camera and the training.

Coordinates are pixels, x to the right, y down, integer = pixel centre: pixel (i, j) of `image[i, j]` covers
x from j - 1/2 to j + 1/2 and y from i - 1/2 to i + 1/2. Images are expected photoelectrons, float32 (H, W),
and are added to in place until `Sensor.expose` turns them into what a camera reads out.
"""
