"""A recipe that trains in seconds."""

TINY = """
name = "tiny"
family = "spot"

[particles]
size_px = [1.2, 1.6]
snr = [20.0, 40.0]
count = [2, 6]
typical_diameter_px = 4.0

[scenes]
size_px = 32
background = [50.0, 100.0]
hot_pixels = 0
smoothed = 0.0

[network]
channels = [8, 16]

[training]
steps = 120
batch = 8
learning_rate = 0.005
"""
