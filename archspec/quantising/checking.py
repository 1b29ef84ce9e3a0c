"""Weights that are stored as integers already: whether they are what their plan says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.analyses.parameters import expand
from archspec.diagnostics import Collector
from archspec.ir.graph import Graph
from archspec.ir.storage import Storage

if TYPE_CHECKING:
    from torch import Tensor


def check_stored(graph: Graph, tensors: Mapping[str, Tensor], origin: str | Path) -> None:
    """Check tensors by the names of a graph's parameters; `origin` is what they come from.

    Raises SpecError E522 for numbers of another kind than their format has, E527 for scales that are not finite, and
    for those of rounded values that are not above zero.
    """
    found = Collector()
    for name, parameter in expand(graph).items():
        tensor = tensors[name]
        if parameter.stored is not None:
            if fault := _not_in(parameter.stored, tensor):
                found.error("E522", f"`{name}` of {origin} {fault}, and its format is {parameter.stored}", None)
        elif tensor.is_floating_point() and not bool(tensor.float().isfinite().all()):
            found.error("E527", f"`{name}` of {origin} has values that are not finite", None)
        elif parameter.calibrated and not bool((tensor > 0).all()):
            found.error("E527", f"`{name}` of {origin} has scales that are not above zero", None)
    found.raise_if_errors()


def _not_in(storage: Storage, tensor: Tensor) -> str:
    """What numbers are that a format does not have; empty if it has them."""
    import torch

    wanted = torch.float8_e4m3fn if storage.floating else torch.int8
    if tensor.dtype != wanted:
        return f"is {str(tensor.dtype).removeprefix('torch.')}"
    if not storage.floating and tensor.numel() and int(tensor.min()) < -storage.largest - 1:
        return f"has {int(tensor.min())}"
    if not storage.floating and tensor.numel() and int(tensor.max()) > storage.largest:
        return f"has {int(tensor.max())}"
    return ""
