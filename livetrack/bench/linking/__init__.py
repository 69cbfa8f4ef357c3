"""The linking bench: time for a frame beside peers, the least cost, and how many links are correct."""
