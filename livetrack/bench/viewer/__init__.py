"""Window bench: refresh time against bare pyqtgraph, refresh rate under load, and effect on the engine's latency."""

__all__: list[str] = []
