"""Engines through Torch-TensorRT: its own compiler on a CUDA host, its converters and TensorRT-RTX without a GPU."""
