"""The account of a recording as lines for the user."""

from __future__ import annotations

from datetime import datetime

from livetrack.record.account import Account, Gap

__all__ = ["account_lines"]

_MAX_GAPS = 10

_STATES = {
    "closed": "closed",
    "recording": "being recorded now",
    "killed": "the recorder was killed, or session.json is lost",
    "recovered": "recovered",
}


def account_lines(account: Account) -> list[str]:
    """Return what the recording has, what is gone, and from when to when, one line each."""
    lines = [f"state: {_STATES[account.state]}{', complete' if account.complete else ''}", f"has: {_contents(account)}"]
    lines += [f"missing: {_gap(gap)}" for gap in account.gaps[:_MAX_GAPS]]
    if more := account.gaps[_MAX_GAPS:]:
        lines.append(f"missing: {len(more)} more gaps, {sum(gap.frames for gap in more)} frames; --json lists all")
    listed = sum(gap.frames for gap in account.gaps if gap.what == "images")
    if (images := account.dropped + account.lost - listed) > 0:
        lines.append(f"missing: images of {images} further frames, of which nothing is on the disk")
    listed = sum(gap.frames for gap in account.gaps if gap.what == "tracks")
    if (tracks := account.tracked_dropped + account.tracked_lost - listed) > 0:
        lines.append(f"missing: tracks of {tracks} tracked frames, of which nothing is on the disk")
    lines += [f"damaged: {damage}" for damage in account.damages]
    lines += [f"repaired: {damage}" for damage in account.repaired]
    lines += [f"in all: {loss}" for loss in account.losses]
    if not account.ended_by_itself and account.state != "recording":
        lines.append(f"possibly missing: {_end(account)}")
    return lines


def _contents(account: Account) -> str:
    parts = []
    if account.delivered:
        parts.append(f"images of {account.written} of {account.delivered} frames")
    else:
        parts.append(f"times of {account.listed} frames, no images")
    parts.append(f"tracks of {account.tracked_written} tracked frames, {account.rows} rows")
    if account.first is not None:
        span = f"frames {account.first} to {account.last}, {account.seconds:.3f} s"
        if account.started and account.ended:
            day = _time(account.started).strftime("%Y-%m-%d")
            span += f", from {day} {_clock(account.started)} to {_clock(account.ended)}"
        parts.append(span)
    return "; ".join(parts)


def _gap(gap: Gap) -> str:
    which = f"frame {gap.first}" if gap.first == gap.last else f"{gap.frames} frames, {gap.first} to {gap.last}"
    if gap.after and gap.before:
        when = f", between {_clock(gap.after)} and {_clock(gap.before)}"
    elif gap.after:
        when = f", after {_clock(gap.after)}"
    else:
        when = f", before {_clock(gap.before)}" if gap.before else ""
    return f"{gap.what} of {which}{when}: {gap.why}"


def _end(account: Account) -> str:
    """Return from when on nothing is known: the last frame, or the recorder's last sign of life if that is later."""
    if account.last_sign and (not account.ended or _time(account.last_sign) > _time(account.ended)):
        return f"what came after {_clock(account.last_sign)}, the last sign of the recorder"
    if account.last is None:
        return "everything"
    return f"what came after frame {account.last}" + (f", {_clock(account.ended)}" if account.ended else "")


def _clock(iso: str) -> str:
    return _time(iso).strftime("%H:%M:%S.%f")[:-3]


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
