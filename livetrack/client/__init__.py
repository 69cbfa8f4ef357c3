"""What a feedback program, a window or a logger reads an engine with.

Imports NumPy, pyzmq and msgspec, and nothing heavier: a feedback program starts at once. ::

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
