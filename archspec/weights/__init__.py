"""Checkpoint weights: match the tensor names of a checkpoint with those of a module, and convert in both directions."""

from __future__ import annotations

from archspec.layouts.layout import Layout, read_layout
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.weights.apply import check_layout, export_weights, import_weights
from archspec.weights.files import WeightsFile, read_weights, write_weights
from archspec.weights.load import load

__all__ = [
    "Layout",
    "WeightsFile",
    "check_layout",
    "export_weights",
    "layouts",
    "load",
    "import_weights",
    "parameter_shapes",
    "read_layout",
    "read_weights",
    "write_weights",
]
