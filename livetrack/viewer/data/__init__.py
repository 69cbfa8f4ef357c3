"""The engine's data as the viewer keeps them, and the text made from them; no Qt but in `async_remote`."""
