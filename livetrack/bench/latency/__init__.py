"""The latency bench: the whole path of a frame beside its floors, following beside full search, and trackpy."""
