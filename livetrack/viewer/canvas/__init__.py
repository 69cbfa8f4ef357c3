"""The image view and the overlays drawn over it."""
