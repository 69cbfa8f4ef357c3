"""The panels around the image: controls, image settings, diagnostics, plots, banner, tour and shortcut sheet."""
