"""Client of an engine, for feedback programs, viewers and loggers.

Imports NumPy, pyzmq and msgspec only, so that a program starts quickly.

    from livetrack import Subscriber

    with Subscriber() as positions:
        for update in positions:
            print(update.frame, update.particles["x"])
"""

from livetrack.client.address import DEFAULT_ADDRESS
from livetrack.client.remote import Remote
from livetrack.client.streams import (
    EventSubscriber,
    PreviewSubscriber,
    StatusSubscriber,
    Subscriber,
    Update,
)

__all__ = [
    "DEFAULT_ADDRESS",
    "EventSubscriber",
    "PreviewSubscriber",
    "Remote",
    "StatusSubscriber",
    "Subscriber",
    "Update",
]
