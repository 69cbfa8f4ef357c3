"""Model files that are damaged or made to do harm: refused in one line, whatever they claim or compute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from live_engine import running
from onnx import TensorProto, helper, numpy_helper

from livetrack.client import Remote
from livetrack.errors import CommandError, LocalizerError, ModelError
from livetrack.localize import hostile_frames, load_localizer
from livetrack.localize.models import models_folder, read_card

SPOT = models_folder() / "spot.onnx"
SHAPE = (64, 64)
SMALL = [f"camera.simulated.{each}" for each in ("width=64", "height=64", "count=3", "exposure_ms=2", "fps=100")]

Change = Callable[[Any], None]


def changed(path: Path, change: Change) -> Path:
    """Write the model `spot` with a change to its ONNX graph."""
    model = onnx.load(SPOT)
    change(model)
    onnx.save(model, path)
    return path


def with_card(**fields: Any) -> Change:
    def change(model: Any) -> None:
        entry = next(each for each in model.metadata_props if each.key == "livetrack")
        entry.value = json.dumps({**json.loads(entry.value), **fields})

    return change


def append(nodes: Callable[[], list[Any]]) -> Change:
    """Compute `maps` from what was `maps`, now `before`."""

    def change(model: Any) -> None:
        for node in model.graph.node:
            node.output[:] = ["before" if name == "maps" else name for name in node.output]
        model.graph.node.extend(nodes())

    return change


def constant(name: str, value: Any) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


def overflowing() -> list[Any]:
    """Return nodes that add NaN as soon as the largest input exceeds some 8: one bright pixel."""
    return [
        constant("steep", np.float32(11)), constant("nothing", np.float32(0)),
        helper.make_node("ReduceMax", ["image"], ["peak"], keepdims=0),
        helper.make_node("Mul", ["peak", "steep"], ["high"]),
        helper.make_node("Exp", ["high"], ["huge"]),
        helper.make_node("Mul", ["huge", "nothing"], ["zero"]),
        helper.make_node("Add", ["before", "zero"], ["maps"]),
    ]  # fmt: skip


def looping() -> list[Any]:
    """Return nodes that add one to the maps for ever."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["sum", "one"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    return [
        constant("one", np.float32(1)), constant("times", np.int64(2**62)), constant("true", np.bool_(True)),
        helper.make_node("Loop", ["times", "true", "before"], ["maps"], body=body),
    ]  # fmt: skip


def gigantic() -> list[Any]:
    """Return nodes that need 4 TB."""
    return [
        constant("shape", np.array([10**12], np.int64)),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["total"], keepdims=0),
        helper.make_node("Add", ["before", "total"], ["maps"]),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"multiple": 0}, {"multiple": -8}, {"multiple": 2}, {"multiple": 10**12}, {"multiple": 10}, {"crop_px": 0},
        {"crop_px": -32}, {"crop_px": 10**9}, {"background_radius_px": -15}, {"background_radius_px": 0},
        {"background_radius_px": 10**9}, {"diameter_px": 0}, {"diameter_px": -4.0}, {"diameter_px": 1e300},
        {"input_scale": 0}, {"input_scale": -1}, {"input_scale": float("nan")}, {"diameter_px": float("inf")},
        {"threshold": 1.5}, {"contrast": "grey"}, {"symmetry": "odd"}, {"name": ""}, {"profiles": [[]]},
        {"profiles": [[1.0], [1.0, 2.0]]}, {"filters_px": [0.0]}, {"filters_px": [-1.0]}, {"filters_px": [1.0] * 99},
        {"score_law": [float("nan"), 0, 0]}, {"score_law": [1.0]}, {"decision_weights": [1.0]},
        {"score_law": [1e300, 0, 0]}, {"profiles": [[1.0, 1e20]]}, {"decision_weights": [1e300]},
        {"recipe": {"particles": {"elongation": "long"}}}, {"recipe": {"particles": 3}},
        {"recipe": {"particles": {"elongation": [1, 1e99]}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_card_out_of_bounds_is_one_line(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = changed(tmp_path / "odd.onnx", with_card(**fields))
    with pytest.raises(ModelError) as raised:
        load_localizer(path)
    assert "\n" not in str(raised.value)
    assert "odd.onnx" in str(raised.value) or "model spot" in str(raised.value)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (overflowing, "its maps are not finite for this image"),
        (looping, "it takes more than 0.5 s"),
        (gigantic, "cannot be used: on a frame of zeros of 64x64 px"),
    ],
)
def test_a_model_is_tried_in_full_before_it_is_accepted(
    tmp_path: Path, nodes: Callable[[], list[Any]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile_frames, "_LIMIT_S", 0.5)
    monkeypatch.setattr(hostile_frames, "_LIMIT_S_PER_PX", 0.0)
    localizer = load_localizer(changed(tmp_path / "bad.onnx", append(nodes)))
    with pytest.raises(ModelError, match=reason) as raised:
        localizer.warmup(SHAPE, np.uint16)
    assert "\n" not in str(raised.value)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    def spoil(model: Any) -> None:
        bias = next(each for each in model.graph.initializer if each.name == "head.bias")
        values = numpy_helper.to_array(bias).copy()
        values[3] = np.nan
        bias.CopyFrom(numpy_helper.from_array(values, bias.name))

    with pytest.raises(ModelError, match="its maps are not finite for this image"):
        load_localizer(changed(tmp_path / "nan.onnx", spoil)).warmup(SHAPE, np.uint16)


def test_an_overflow_on_one_bright_frame_is_an_error_of_that_frame(tmp_path: Path) -> None:
    localizer = load_localizer(changed(tmp_path / "bad.onnx", append(overflowing)))
    frame = np.random.default_rng(0).integers(90, 110, SHAPE).astype(np.uint16)
    localizer.localize(frame)
    bright = frame.copy()
    bright[20, 30] = 65535
    with pytest.raises(LocalizerError, match="model spot: its maps are not finite for this image"):
        localizer.localize(bright)
    localizer.localize(frame)


def test_data_in_other_files_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    onnx.save(onnx.load(SPOT), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").stat().st_size > 1000
    with pytest.raises(ModelError, match=r"outside\.onnx: its data is in other files; export it with all data in one"):
        read_card(path)


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x7f", SPOT.read_bytes()[:5000], b"\x3a\x02" * 9]
)
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged\.onnx") as raised:
        read_card(path)
    assert "\n" not in str(raised.value)


def test_a_model_that_loops_blocks_neither_later_swaps_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile_frames, "_LIMIT_S", 1.0)
    bad = changed(tmp_path / "loop.onnx", append(looping))
    with running(SMALL) as engine, Remote(engine.command_address, timeout_s=60) as remote:
        with pytest.raises(CommandError, match="it takes more than"):
            remote.swap_model(bad)
        assert remote.swap_model("bead") == "bead"
        assert remote.state().model == "bead"
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 20
