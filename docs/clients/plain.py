"""A client with pyzmq and NumPy only, after docs/wire.md: a start for your own.

python plain.py tcp://127.0.0.1:5555 10     ten frames, then a heartbeat and the reply to a command
python plain.py FILE                        one message, such as those in tests/vectors/
"""

import json
import struct
import sys

import numpy as np
import zmq

HEADER = np.dtype(
    "<u2,<u2,<u2,<u2,<u8,<u8,<u8,<i8,<f8,<i8,<i8,<i8,<i8,<i8,<i8,<i8,<u8,<u8,<u4,<u4,<u4,<i4,<i4,<u4,<f8,<u4,<u4,<i8"
)
HEADER.names = (
    "version", "header_size", "row_size", "reserved", "session", "seq", "frame", "camera_number", "t_s",
    "t_exposed_ns", "t_received_ns", "t_started_ns", "t_localized_ns", "t_linked_ns", "t_published_ns", "wall_ns",
    "skipped", "lost", "geometry", "width", "height", "x_origin", "y_origin", "binning", "pixel_size_um",
    "row_count", "reserved_2", "target",
)  # fmt: skip
ROW = {
    "names": ("id", "x", "y", "x_std", "y_std", "xy_cov", "intensity", "score", "angle", "vx", "vy", "flags"),
    "formats": ("<i8",) + ("<f4",) * 10 + ("<u4",),
    "offsets": (0, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48),
}


def decode_positions(message):
    """Return the header as a dictionary, and the rows as a structured array."""
    header = dict(zip(HEADER.names, np.frombuffer(message, HEADER, 1, 8)[0].item(), strict=True))
    if header["version"] != 1:
        raise ValueError(f"version {header['version']} of the wire format is not supported")
    row = np.dtype({**ROW, "itemsize": header["row_size"]})  # ignores fields appended by later versions
    return header, np.frombuffer(message, row, header["row_count"], 8 + header["header_size"])


def decode_preview(message):
    """Return frame number, step, and the image in grey levels, (H, W)."""
    _, header_size, step, _, _, frame, width, height, kind, offset, scale = struct.unpack_from(
        "<4H2Q2I8s2d", message, 8
    )
    kind = np.dtype(kind.rstrip(b"\0").decode())
    pixels = np.frombuffer(message, kind, width * height, 8 + header_size).reshape(height, width)
    return frame, step, offset + scale * pixels


def decode(message):
    """Return the content of any message, in JSON types."""
    topic = bytes(message[:8])
    if topic == b"lt.pos\0\0":
        header, rows = decode_positions(message)
        return {"header": header, "rows": [dict(zip(rows.dtype.names, row.item(), strict=True)) for row in rows]}
    if topic in (b"lt.img\0\0", b"lt.whole"):
        frame, step, image = decode_preview(message)
        return {"frame": frame, "step": step, "picture": image.tolist()}
    if topic in (b"lt.beat\0", b"lt.event"):
        return json.loads(message[8:])
    raise ValueError(f"not a livetrack message: {topic!r}")


def listen(address, count):
    """Print the newest frames, then a heartbeat, then the reply to a command."""
    context = zmq.Context()
    positions = context.socket(zmq.SUB)
    positions.setsockopt(zmq.CONFLATE, 1)  # keep only the newest message, for control
    positions.setsockopt(zmq.RCVTIMEO, 10_000)
    positions.setsockopt(zmq.SUBSCRIBE, b"lt.pos\0\0")
    positions.connect(address)
    for _ in range(count):
        print(json.dumps(decode(positions.recv())))
    heartbeats = context.socket(zmq.SUB)
    heartbeats.setsockopt(zmq.RCVTIMEO, 10_000)
    heartbeats.setsockopt(zmq.SUBSCRIBE, b"lt.beat\0")
    heartbeats.connect(address)
    status = decode(heartbeats.recv())
    print(json.dumps(status))
    commands = context.socket(zmq.REQ)
    commands.setsockopt(zmq.RCVTIMEO, 10_000)
    commands.connect(status["command_address"])
    # for example, set the search radius to 4.5 px (default: 5)
    commands.send_json({"command": "set_search_radius", "id": 1, "search_radius_px": 4.5})
    print(json.dumps(commands.recv_json()))
    context.destroy(linger=0)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        with open(sys.argv[1], "rb") as file:
            print(json.dumps(decode(file.read())))
    else:
        listen(sys.argv[1], int(sys.argv[2]))
