"""The network as an ONNX file, with all that a localizer must know in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from livetrack.localize.decode import MAPS
from livetrack.training.network import Residual, UNet

__all__ = ["export"]

_OPSET = 17
_IR_VERSION = 9  # readable by every ONNX Runtime since 1.16


def export(network: UNet, path: Path, metadata: dict[str, Any]) -> None:
    """Write `network` to `path`; `metadata` goes in as JSON under the key `livetrack`.

    The graph is written node by node: it is small, and so depends on no exporter's version.
    """
    graph = _Graph()
    fine = graph.conv("stem", network.stem, "image")
    middle = graph.residual("middle_in", network.middle_in, graph.conv("halve", network.halve, fine))
    coarse = graph.residual("coarse", network.coarse, graph.conv("quarter", network.quarter, middle))
    middle = graph.conv("middle_out", network.middle_out, graph.conv("widen", network.widen, coarse, add=middle))
    fine = graph.conv("widen_again", network.widen_again, middle, add=fine)
    fine = graph.conv("fine_out", network.fine_out, fine)
    graph.conv("head", network.head, fine, relu=False, out="maps")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            metadata["name"],
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["count", 1, "height", "width"])],
            [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["count", MAPS, "rows", "columns"])],
            graph.weights,
        ),
        producer_name="livetrack",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, {"livetrack": json.dumps(metadata)})
    onnx.checker.check_model(model, full_check=True)
    part = path.with_name(path.name + ".part")
    onnx.save(model, str(part))
    part.replace(path)


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def conv(
        self,
        name: str,
        layer: nn.Conv2d | nn.ConvTranspose2d,
        image: str,
        *,
        add: str | None = None,
        relu: bool = True,
        out: str | None = None,
    ) -> str:
        """Add a convolution, the addition of `add`, and a ReLU; return the name of what comes out."""
        kind = "ConvTranspose" if isinstance(layer, nn.ConvTranspose2d) else "Conv"
        assert layer.bias is not None
        for part, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            self.weights.append(numpy_helper.from_array(tensor.detach().cpu().numpy(), f"{name}.{part}"))
        pads = [int(side) for side in layer.padding] * 2
        image = self._node(
            kind,
            [image, f"{name}.weight", f"{name}.bias"],
            out or f"{name}.sum",
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=pads,
        )
        if add is not None:
            image = self._node("Add", [image, add], f"{name}.added")
        return self._node("Relu", [image], f"{name}.out") if relu else image

    def residual(self, name: str, layer: Residual, image: str) -> str:
        """Add a residual block."""
        return self.conv(f"{name}.second", layer.second, self.conv(f"{name}.first", layer.first, image), add=image)

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
