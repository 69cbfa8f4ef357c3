"""Files beyond the limits of `livetrack.limits` are refused in one line that names the limit."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from test_record import frame_of, rows_of

from livetrack import Linker, limits
from livetrack.config import load_config
from livetrack.curve_keys import secure_client
from livetrack.errors import InputError, LivetrackError, ModelError
from livetrack.localize import load_localizer
from livetrack.localize.models import models_folder, read_card
from livetrack.record import Recorder, read_session
from livetrack.record.arrow_record import END, seal
from livetrack.record.stream_reader import read_stream
from livetrack.record.streams import TRACKED
from livetrack.session.commands.calibration_store import CalibrationStore
from livetrack.training.recipe import load_recipe


def larger(path: Path, limit: int) -> Path:
    """Make a file of zeros that is one byte larger than the limit; on most file systems it takes no space."""
    with path.open("wb") as file:
        file.truncate(limit + 1)
    return path


def use_key(path: Path) -> None:
    path.rename(path.with_name("client.key_secret"))
    secure_client(None, path.parent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "limit", "read"),
    [
        ("config.toml", limits.SETTINGS_BYTES, load_config),
        ("recipe.toml", limits.SETTINGS_BYTES, load_recipe),
        ("calibration.json", limits.CALIBRATIONS_BYTES, lambda path: CalibrationStore(str(path), "simulated")),
        ("session.json", limits.SESSION_INFO_BYTES, lambda path: read_session(path.parent)),
        ("model.onnx", limits.MODEL_BYTES, load_localizer),
        ("a.key", limits.KEY_BYTES, use_key),
    ],
)
def test_a_file_beyond_its_limit_is_refused(
    tmp_path: Path, name: str, limit: int, read: Callable[[Path], object]
) -> None:
    path = larger(tmp_path / name, limit)
    with pytest.raises(LivetrackError, match=f"it is larger than {limit >> 10:,} KB, the limit for its kind") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("there is no endless file here")
    with pytest.raises(limits.FileTooLargeError):
        limits.read_bytes_up_to(endless, 1000)


def test_a_card_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    model = onnx.load(models_folder() / "spot.onnx")
    entry = next(each for each in model.metadata_props if each.key == "livetrack")
    entry.value = json.dumps({**json.loads(entry.value), "description": "x" * limits.CARD_BYTES})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="larger than 16,384 KB, the limit"):
        read_card(tmp_path / "model.onnx")


@pytest.mark.parametrize("deep", ['{"a":' * 100_000, "[" * 100_000])
def test_a_card_nested_without_end_is_refused(tmp_path: Path, deep: str) -> None:
    model = onnx.load(models_folder() / "spot.onnx")
    entry = next(each for each in model.metadata_props if each.key == "livetrack")
    entry.value = entry.value.replace('"recipe": ', f'"recipe": {{"a": {deep}', 1).replace('"recipe":{', deep, 1)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="metadata cannot be read"):
        read_card(tmp_path / "model.onnx")


def test_the_state_of_a_linker_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "state.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("alive.npy", bytes(33 << 23))
    with pytest.raises(InputError, match=r"unpacks to .* bytes, and the limit is 268,435,456"):
        Linker.load(tmp_path / "state.npz")


# tables that are hostile: Arrow reserves what a message claims


def plain(path: Path, table: Any, **options: Any) -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema, **options) as writer:
        writer.write_table(table)
    return path


def tracked(rows: int = 10) -> Any:
    columns = [pa.array(np.zeros(rows), field.type) for field in TRACKED]
    return pa.Table.from_arrays(columns, schema=TRACKED)


def other_columns(path: Path) -> None:
    plain(path, pa.table({"frame": ["a", "b"]}))


def compressed(path: Path) -> None:
    plain(path, tracked(2_000_000), options=pa.ipc.IpcWriteOptions(compression="zstd"))


def dictionary(path: Path) -> None:
    frame = pa.array([0, 0]).dictionary_encode()
    plain(path, tracked(2).set_column(0, "frame", frame))


def nested(path: Path) -> None:
    kind = pa.int64()
    for _ in range(60):
        kind = pa.list_(kind)
    plain(path, tracked(0).append_column("deep", pa.array([], kind)).set_column(0, "frame", pa.array([], kind)))


def long_metadata(path: Path) -> None:
    plain(path, tracked())
    path.write_bytes(b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1) + path.read_bytes()[8:])


def long_body(path: Path) -> None:
    """Claim a body of 2^40 bytes in the second message."""
    plain(path, tracked())
    data = path.read_bytes()
    second = data.find(b"\xff\xff\xff\xff", 8)
    (size,) = struct.unpack_from("<i", data, second + 4)
    body = len(data) - len(END) - (second + 8 + size)
    at = data.index(struct.pack("<q", body), second, second + 8 + size)
    path.write_bytes(data[:at] + struct.pack("<q", 2**40) + data[at + 8 :])


def many_rows(path: Path) -> None:
    """Claim 2^40 rows with checksums that are right."""
    schema, batch = tracked().schema.serialize(), tracked().to_batches()[0].serialize()
    claimed = bytes(batch).replace(struct.pack("<q", 10), struct.pack("<q", 2**40))
    path.write_bytes(b"".join(b"".join(seal(message, 0)) for message in (bytes(schema), claimed)))


HOSTILE = (other_columns, compressed, dictionary, nested, long_metadata, long_body, many_rows)


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_table_is_damage_and_costs_no_memory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "tracked.arrow"
    make(path)
    damage: list[Any] = []
    before, reserved = pa.total_allocated_bytes(), pa.default_memory_pool().max_memory() or 0
    tracemalloc.start()
    table = read_stream(path, TRACKED, damage.append)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.num_rows == 0
    assert len(damage) == 1
    assert "\n" not in str(damage[0])
    assert peak < path.stat().st_size + 10_000_000
    assert max(pa.default_memory_pool().max_memory() or 0, reserved) - max(before, reserved) < 100_000_000


def test_a_session_with_a_hostile_table_is_read_without_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for index in range(10):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    session = read_session(recorder.folder)
    compressed(session.folder / "tracked.arrow")
    assert len(list(session.frames())) == 10
    assert [damage.file for damage in session.damage()] == ["tracked.arrow"]
    assert any("tracked frames written" in line for line in session.discrepancies())
