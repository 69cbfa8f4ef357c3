"""Inference: a model on ONNX Runtime or OpenVINO, in buffers kept from frame to frame."""
