"""Makes a killed recording whole, without deleting anything that can be read.

The steps are these, each of which can be repeated; a recovery that is killed is completed by the next.

1. What is torn at the end of a file is copied to `FILE.torn-OFFSET`, and then cut off.
2. Links between the pages of the TIFF files are mended, so that other programs find all whole pages.
3. Rows that are missing in `frames.arrow` and `tracked.arrow` are added from the pages and from `trajectories.arrow`.
   A table with damaged batches is copied to `TABLE.damaged` before.
4. `session.json` gets the counts, and `recovered`; one that cannot be read is copied to `session.json.damaged`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from livetrack import __version__
from livetrack.errors import InputError, UsageError, reason
from livetrack.record.account import Account, account_for
from livetrack.record.damage import Damage
from livetrack.record.inventory import TABLES, Inventory
from livetrack.record.lock import RecordingLock
from livetrack.record.session import write_session_info
from livetrack.record.stream_reader import read_stream, stream_schema
from livetrack.record.streams import RECEIVED, TRACKED, TableStream
from livetrack.whole_file import replacing, write_whole

__all__ = ["recover"]

_BATCH_ROWS = 10_000


def recover(inventory: Inventory) -> Account:
    """Make the recording whole whose files have been read; return its account.

    A recording that is whole is left as it is.

    Raises
    ------
    InputError
        It is being recorded now.
    UsageError
        The folder is read-only, or its disk full.
    """
    folder, account = inventory.folder, account_for(inventory)
    if inventory.recording:
        raise InputError(f"{folder}: is being recorded now; stop the recording first")
    if _is_whole(inventory, account):
        return account
    lock = RecordingLock(folder)
    whole = False
    try:
        tails = _tails(inventory)
        for tail in tails:
            _save_tail(folder, tail)
        for mend in inventory.mends:
            with (folder / mend.file).open("r+b") as file:
                file.seek(mend.offset)
                file.write(mend.content)
        for tail in tails:
            os.truncate(folder / tail.file, tail.offset)
        renewed = _complete_tables(inventory)
        _write_info(inventory, account)
        whole = True
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to: {reason(error)}") from None
    finally:
        lock.release(keep=not whole)
    return _without_repaired(account, inventory, tails, renewed)


def _without_repaired(account: Account, inventory: Inventory, tails: list[Damage], renewed: set[str]) -> Account:
    """Return the account after the recovery: damages that are no more are `repaired`."""
    mended = {(mend.file, mend.offset) for mend in inventory.mends}
    cut = {tail.file: tail.offset for tail in tails}
    repaired = [
        str(each)
        for each in inventory.damages
        if (each.file, each.offset) in mended
        or each.offset >= cut.get(each.file, each.offset + 1)
        or each.file in renewed
    ]
    damages = [text for text in account.damages if text not in repaired]
    return replace(account, state="recovered", damages=damages, repaired=repaired)


def _is_whole(inventory: Inventory, account: Account) -> bool:
    info = inventory.info
    return (
        "ended" in info
        and not inventory.info_problem
        and not inventory.mends
        and not inventory.unlisted
        and not len(_unlisted_tracked(inventory))
        and not _tails(inventory)
        and all(info.get(name, 0) == count for name, count in _counts(inventory, account).items())
    )


def _tails(inventory: Inventory) -> list[Damage]:
    """Return what a kill leaves: torn records at the end of a file.

    Of a TIFF file only one page is cut off: without checksums, what follows it might be whole.
    """
    tails: dict[str, Damage] = {}
    for damage in reversed(inventory.damages):
        after = tails.get(damage.file)
        end = after.offset if after else (inventory.folder / damage.file).stat().st_size
        if (
            damage.size
            and damage.offset + damage.size == end
            and (damage.lost == 1 or not damage.file.endswith(".tif"))
        ):
            tails[damage.file] = replace(damage, size=damage.size + (after.size if after else 0))
    return list(tails.values())


def _save_tail(folder: Path, damage: Damage) -> None:
    torn = folder / f"{damage.file}.torn-{damage.offset}"
    with replacing(torn) as copy, (folder / damage.file).open("rb") as source, copy.open("wb") as target:
        source.seek(damage.offset)
        shutil.copyfileobj(source, target)


def _complete_tables(inventory: Inventory) -> set[str]:
    """Write tables that lack rows anew; return their names.

    `frames.arrow` gets a row for each page that has none, and `tracked.arrow` for each frame in `trajectories.arrow`.
    """
    missing = _unlisted_tracked(inventory)
    rows = {"frames.arrow": (RECEIVED, list(zip(*inventory.unlisted, strict=True)))}
    rows["tracked.arrow"] = (
        TRACKED,
        [inventory.with_rows[missing], inventory.rows_t_s[missing], inventory.rows[missing]],
    )
    renewed = {name for name, (_, columns) in rows.items() if columns and len(columns[0])}
    for name in sorted(renewed):
        _keep_damaged(inventory, name)
        _add_rows(inventory.folder / name, *rows[name])
    return renewed


def _unlisted_tracked(inventory: Inventory) -> Any:
    """Return where in `inventory.with_rows` the frames are that are not in `tracked.arrow`."""
    return np.flatnonzero(~np.isin(inventory.with_rows, inventory.tracked))


def _keep_damaged(inventory: Inventory, name: str) -> None:
    """Copy a table that has damaged batches, which the new one will not have, to `NAME.damaged`."""
    cut = {tail.file: tail.offset for tail in _tails(inventory)}
    if any(
        each.file == name and each.size and each.offset < cut.get(name, each.offset + 1) for each in inventory.damages
    ):
        with replacing(inventory.folder / f"{name}.damaged") as copy:
            shutil.copyfile(inventory.folder / name, copy)


def _add_rows(path: Path, schema: Any, columns: Iterable[Any]) -> None:
    """Replace a table by one with further rows, sorted by frame, as a whole or not at all."""
    table = read_stream(path, schema)
    if not path.exists():
        others = (stream_schema(path.with_name(f"{name}.arrow"), each) for name, each in TABLES.items())
        metadata = next((other.metadata for other in others if other.metadata), None)
        table = table.replace_schema_metadata(metadata)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, table.schema, strict=True)]
    table = pa.concat_tables([table, pa.Table.from_arrays(arrays, schema=table.schema)]).sort_by("frame")
    with replacing(path) as new:
        stream = TableStream(new, table.schema, table.schema.metadata)
        try:
            stream.start()
            for batch in table.to_batches(_BATCH_ROWS):
                stream.append(batch)
            stream.end()
        finally:
            stream.file.close()


def _counts(inventory: Inventory, account: Account) -> dict[str, int]:
    """Return the counts that a closed recording has, and what is lost since the recorder counted."""
    particles = int(inventory.particles.sum()) + int(inventory.rows[_unlisted_tracked(inventory)].sum())
    pointing = np.setdiff1d(inventory.listed, inventory.without_image)
    return {
        "frames_offered": account.delivered,
        "frames_written": account.written,
        "frames_dropped": account.dropped + account.lost,
        "frames_lost": account.lost,
        "frames_listed_lost": len(np.setdiff1d(pointing, inventory.pages)),
        "tracked_frames_offered": account.tracked_delivered,
        "tracked_frames_written": account.tracked_written,
        "tracked_frames_dropped": account.tracked_dropped + account.tracked_lost,
        "tracked_frames_lost": account.tracked_lost,
        "tracked_frames_torn": account.tracked_torn,
        "rows_lost": particles - account.rows,
        "events_written": account.events,
        "events_lost": account.events_lost,
    }


def _write_info(inventory: Inventory, account: Account) -> None:
    folder, info, counts = inventory.folder, dict(inventory.info), _counts(inventory, account)
    damaged = folder / "session.json"
    if inventory.info_problem and damaged.exists():
        write_whole(folder / "session.json.damaged", damaged.read_bytes())
    killed = account.state == "killed" or bool(info.get("killed"))
    if "started" not in info:
        with suppress(ValueError):  # the folder was renamed
            info["started"] = datetime.strptime(folder.name[:19], "%Y-%m-%d_%H-%M-%S").astimezone().isoformat()
    if "ended" in info and "before_recovery" not in info:
        info["before_recovery"] = {name: info.get(name) for name in counts}
    if not killed:
        cause = info.get("problem", "")
    else:
        cause = "the recorder was killed, or session.json was lost; the last moments may be missing"
    info |= {
        "ended": info.get("ended") or account.ended or account.last_sign or info.get("started", ""),
        **counts,
        "frames_unlisted": _unlisted(inventory, account),
        "recovered": datetime.now().astimezone().isoformat(),
        "recovered_by": __version__,
        "killed": killed,
        "problem": "; ".join(filter(None, (cause, *account.losses))),
    }
    if inventory.last_sign is not None:
        info["last_sign"] = msgspec.to_builtins(inventory.last_sign)
    write_session_info(folder, info)


def _unlisted(inventory: Inventory, account: Account) -> int:
    span = 0 if account.first is None or account.last is None else account.last - account.first + 1
    return max(0, max(span, account.delivered) - len(np.union1d(inventory.listed, inventory.pages)))
