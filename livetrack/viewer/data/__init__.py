"""What the engine has sent, as the viewer keeps it; no widgets."""
