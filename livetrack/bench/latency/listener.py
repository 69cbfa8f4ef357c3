"""The other process: a client as any other, which also receives the bare messages that it is compared with."""

from __future__ import annotations

import struct
import time
from itertools import pairwise
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt
import zmq

from livetrack.client import Subscriber

__all__ = ["END", "FIRST", "HOP", "STAMPS", "listen"]

HOP = struct.Struct("<qq")
"""What a bare message begins with: the frame's index, and when it was sent, ns."""

FIRST = -2
"""The index of messages that are sent until one has come."""

END = -1
"""The index that says that no more come."""

STAMPS = np.dtype([(name, "<i8") for name in ("frame", "total", "wait", "localize", "link", "publish", "hop", "bare")])
"""Of one frame, ns: from receipt to the client's receipt, the parts of it, and the bare message's hop."""

_TIMEOUT_S = 0.5


def listen(results: Connection, address: str, hops: str) -> None:
    """Receive both kinds of messages until `END`; send the (N,) stamps of dtype `STAMPS` through `results`."""
    bare: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    bare.setsockopt(zmq.SUBSCRIBE, b"")
    bare.connect(hops)
    stamps: list[tuple[int, ...]] = []
    with Subscriber(address, newest=False) as positions:
        results.send("ready")
        bare.recv()  # a message of `FIRST`: it is known to be subscribed
        results.send("heard")
        index = 0
        while index != END:
            update = positions.receive(_TIMEOUT_S)
            wait_ms = 0 if update is None else round(_TIMEOUT_S * 1000)
            while index != END and (update is None or index < update.frame) and bare.poll(wait_ms):
                message = bare.recv()
                now_ns = time.perf_counter_ns()
                index, sent_ns = HOP.unpack_from(message)
                if update is not None and index == update.frame:
                    stages = (
                        update.t_received_ns, update.t_started_ns, update.t_localized_ns, update.t_linked_ns,
                        update.t_published_ns, update.t_client_ns,
                    )  # fmt: skip
                    parts = [later - earlier for earlier, later in pairwise(stages)]
                    stamps.append((index, update.t_client_ns - update.t_received_ns, *parts, now_ns - sent_ns))
    bare.close(linger=0)
    results.send(_array(stamps))


def _array(stamps: list[tuple[int, ...]]) -> npt.NDArray[np.void]:
    return np.array(stamps, STAMPS)
