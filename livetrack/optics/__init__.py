"""Simulated images of particles, used by the simulated camera and by training.

Coordinates are pixels, x to the right and y down; integers are pixel centres, so pixel `image[i, j]` covers x from
j - 1/2 to j + 1/2 and y from i - 1/2 to i + 1/2. Images are expected photoelectrons, float32 (H, W). Particles are
added in place; `Sensor.expose` then returns what a camera would read out.
"""
