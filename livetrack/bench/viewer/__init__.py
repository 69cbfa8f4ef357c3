"""The window bench: refreshes beside the bare technique, their rate on a busy machine, what the engine feels."""
