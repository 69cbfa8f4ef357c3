"""The panels beside and below the image."""
