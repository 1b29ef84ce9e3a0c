"""Engines through Torch-TensorRT: on a CUDA host its own compiler; without a GPU its converters and TensorRT-RTX."""
