"""The client process of the end-to-end measurement, which also receives bare messages for comparison."""

from __future__ import annotations

import struct
import time
from itertools import pairwise
from multiprocessing.connection import Connection

import numpy as np
import zmq

from livetrack.client import Subscriber

__all__ = ["END", "FIRST", "HOP", "STAMPS", "listen"]

HOP = struct.Struct("<qq")
"""Start of a bare message: index of the frame, time of sending in ns."""

FIRST = -2
"""Index of the messages sent until the client is connected."""

END = -1
"""Index of the last message."""

STAMPS = np.dtype([(name, "<i8") for name in ("frame", "total", "wait", "localize", "link", "publish", "hop", "bare")])
"""One frame, ns: total from receipt to the client's receipt, its stages, and the hop of the bare message."""

_TIMEOUT_S = 0.5


def listen(results: Connection, address: str, hops: str) -> None:
    """Receive both kinds of messages until `END`; send the stamps, (N,) of `STAMPS`, through `results`."""
    bare: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    bare.setsockopt(zmq.SUBSCRIBE, b"")
    bare.connect(hops)
    stamps: list[tuple[int, ...]] = []
    with Subscriber(address, newest=False) as positions:
        results.send("ready")
        bare.recv()  # a `FIRST`: the subscription is active
        results.send("connected")
        index = 0
        while index != END:
            update = positions.receive(_TIMEOUT_S)
            wait_ms = 0 if update is None else round(_TIMEOUT_S * 1000)
            while index != END and (update is None or index < update.frame) and bare.poll(wait_ms):
                message = bare.recv()
                now_ns = time.perf_counter_ns()
                index, sent_ns = HOP.unpack_from(message)
                if update is not None and index == update.frame:
                    times = (
                        update.t_received_ns, update.t_started_ns, update.t_localized_ns, update.t_linked_ns,
                        update.t_published_ns, update.t_client_ns,
                    )  # fmt: skip
                    stages = [later - earlier for earlier, later in pairwise(times)]
                    stamps.append((index, times[-1] - times[0], *stages, now_ns - sent_ns))
    bare.close(linger=0)
    results.send(np.array(stamps, STAMPS))
