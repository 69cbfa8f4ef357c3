"""Which candidates are particles: matched filters beside the network, and one decision for the whole image."""
