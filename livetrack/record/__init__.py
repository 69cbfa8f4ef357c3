"""A session on disk: every delivered frame and every trajectory, written off the live loop.

A recording is a folder of its own::

    2025-01-31_14-05-09/
        session.json        settings, start, and, once it was closed, the counts
        frames_0000.tif ... BigTIFF, one page a frame, each with its number, times and geometry as JSON
        frames.arrow        one line for each delivered frame, also for those that were dropped
        tracked.arrow       one line for each tracked frame, also where no particle was found
        trajectories.arrow  one line for each particle in each tracked frame

The Arrow files are streams, and the TIFFs grow page by page, so that a killed process loses its last second at
most. `read_session` reads them, whole or cut short.
"""

from livetrack.record.recorder import Recorder
from livetrack.record.session import Session, read_session

__all__ = ["Recorder", "Session", "read_session"]
