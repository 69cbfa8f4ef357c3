"""Changes to the bytes of a file: some at random, some where numbers and lengths are."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

__all__ = ["change_bytes", "change_text"]

ODD = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    255,
    256,
    2**15 - 1,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**64 - 1,
)
ODD_TEXT = (
    *(b"0", b"-1", b"1e999", b"nan", b"inf", b"99999999999999999999", b"true", b"null"),
    *(b'""', b"[]", b"{}", b"[[[]]]", b"[[", b"= =", b"#", b"\n", b"\\", b'"', b"'"),
    *(b"\x00", b"\xff", b"../..", b"\xe2\x80\xae", b"x" * 300),
)


def change_bytes(
    data: bytes, rng: random.Random, places: Sequence[int] = (), order: str = "<", count: int = 0
) -> bytes:
    """Return `data` with changes, one to six if `count` is 0; most are near `places`, where numbers are."""
    changed = bytearray(data)
    for _ in range(count or rng.choice((1, 1, 1, 2, 3, 6))):
        kind = rng.random()
        if kind < 0.6 and places:
            _put_number(changed, rng.choice(places) + rng.choice((0, 2, 4, 4, 8, 8, 12)), rng, order)
        elif kind < 0.7 and len(changed) > 8:
            _put_number(changed, rng.randrange(len(changed)), rng, order)
        elif kind < 0.8 and changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        elif kind < 0.85 and len(changed) > 8:
            del changed[rng.randrange(8, len(changed)) :]
        elif kind < 0.9 and len(changed) > 40:
            begin = rng.randrange(len(changed) - 20)
            del changed[begin : begin + rng.randrange(1, 20)]
        else:
            changed = bytearray(change_text(bytes(changed), rng, 1))
    return bytes(changed)


def change_text(data: bytes, rng: random.Random, count: int = 0) -> bytes:
    """Return `data` with changes to its digits, words and lines; one to four if `count` is 0."""
    changed = bytearray(data)
    for _ in range(count or rng.choice((1, 1, 2, 4))):
        digits = [at for at, byte in enumerate(changed[:200_000]) if 48 <= byte <= 57]
        kind, at = rng.random(), rng.randrange(len(changed) + 1)
        if kind < 0.4 and digits:
            changed[rng.choice(digits)] = rng.choice(b"0123456789-.e/ \x00\xff")
        elif kind < 0.6 and digits:
            begin = rng.choice(digits)
            end = begin
            while end < len(changed) and changed[end] in b"0123456789.":
                end += 1
            changed[begin:end] = rng.choice(ODD_TEXT)
        elif kind < 0.75:
            changed[at:at] = rng.choice(ODD_TEXT)
        elif kind < 0.9:
            lines = changed.split(b"\n")
            one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[one] = lines[other] if rng.random() < 0.5 else b""
            changed = bytearray(b"\n".join(lines))
        else:
            del changed[at : at + rng.randrange(1, 40)]
    return bytes(changed)


def _put_number(data: bytearray, at: int, rng: random.Random, order: str) -> None:
    size = rng.choice((1, 2, 4, 4, 8))
    if at + size <= len(data):
        value = rng.choice(ODD) if rng.random() < 0.7 else rng.getrandbits(8 * size)
        data[at : at + size] = struct.pack(order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size], value % (1 << 8 * size))
