"""Exports the network as ONNX, with the metadata that a localizer needs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from livetrack.training.network import Mixer, Network
from livetrack.whole_file import write_whole

__all__ = ["export"]

_OPSET = 17
_IR_VERSION = 9  # readable by every ONNX Runtime since 1.16


def export(network: Network, path: Path, metadata: dict[str, Any]) -> None:
    """Write `network` to `path`, with `metadata` as JSON under the key `livetrack`.

    The small graph is written node by node, so that it does not depend on the version of an exporter.
    """
    graph = _Graph()
    fine = graph.conv("stem", network.stem, "image", relu=False)
    fine = graph.mix("fine_in", network.fine_in, fine)
    coarse = graph.mix("coarse", network.coarse, graph.conv("downsample", network.downsample, fine))
    fine = graph.add_upsampled("project", graph.conv("project", network.project, coarse, relu=False), fine)
    fine = graph.mix("fine_out", network.fine_out, fine)
    graph.conv("head", network.head, fine, relu=False, out="maps")
    depth = network.head.out_channels
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            metadata["name"],
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["count", 1, "height", "width"])],
            [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["count", depth, "rows", "columns"])],
            graph.weights,
        ),
        producer_name="livetrack",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, {"livetrack": json.dumps(metadata)})
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())


class _Graph:
    """Nodes and weights of an ONNX graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def conv(
        self, name: str, layer: nn.Conv2d, image: str, *, add: str = "", relu: bool = True, out: str | None = None
    ) -> str:
        """Append a convolution, the addition of `add`, and a ReLU; return the name of the output."""
        assert layer.bias is not None
        for part, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            self.weights.append(numpy_helper.from_array(tensor.detach().cpu().numpy(), f"{name}.{part}"))
        pads = [int(side) for side in layer.padding] * 2
        image = self._node(
            "Conv",
            [image, f"{name}.weight", f"{name}.bias"],
            out or f"{name}.sum",
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=pads,
            group=layer.groups,
        )
        if add:
            image = self._node("Add", [image, add], f"{name}.added")
        return self._node("Relu", [image], f"{name}.out") if relu else image

    def mix(self, name: str, mixers: Iterable[nn.Module], image: str) -> str:
        """Append a sequence of `Mixer`s."""
        for n, mixer in enumerate(mixers):
            assert isinstance(mixer, Mixer)
            spatial = self.conv(f"{name}.{n}.depthwise", mixer.depthwise, image, relu=False)
            image = self.conv(f"{name}.{n}.pointwise", mixer.pointwise, spatial, add=image)
        return image

    def add_upsampled(self, name: str, coarse: str, fine: str) -> str:
        """Append the sum of `coarse`, doubled along both axes, and `fine`, and a ReLU."""
        self.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), f"{name}.scales"))
        doubled = self._node(
            "Resize",
            [coarse, "", f"{name}.scales"],
            f"{name}.doubled",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return self._node("Relu", [self._node("Add", [doubled, fine], f"{name}.added")], f"{name}.out")

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
