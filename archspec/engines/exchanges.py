"""The exchanges of a rank's program in an ONNX file: nodes `trt.DistCollective`.

TensorRT-RTX makes each a layer of `add_dist_collective`. Nobody else knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

OPERATOR = "DistCollective"
_DOMAIN = "trt"


def name_exchanges(module: nn.Module, ranks: int) -> None:
    """Let every exchange of a rank's module be exported as one node.

    The helpers of the emitted file that exchange are replaced there by their names (see `ir.rank_exchange`).
    """
    # The functions of an emitted file are its own: another program has its own file.
    functions = type(module).forward.__globals__
    for helper, made in (("all_reduce", partial(_all_reduce, ranks=ranks)), ("all_gather", _all_gather)):
        if helper in functions:
            functions[helper] = made


def _all_reduce(x: Tensor, ranks: int) -> Tensor:
    """The sum of what all ranks have."""
    return _node(x, "all_reduce", "sum", ranks, x.shape)


def _all_gather(x: Tensor, axis: int, ranks: int) -> Tensor:
    """The parts that all ranks have of an axis: TensorRT puts them one after another along axis 0."""
    apart = _node(x[None], "all_gather", "none", ranks, (ranks, *x.shape))
    return apart.movedim(0, axis).flatten(axis, axis + 1)


def _node(x: Tensor, operation: str, reduce: str, ranks: int, shape: tuple[int, ...]) -> Tensor:
    from torch.onnx.ops import symbolic

    # A root of -1 and a group of size 0 are no root, and all ranks.
    numbers = {"root": -1, "group_size": 0, "nb_rank": ranks}
    options: dict[str, Any] = {"collective_operation": operation, "reduce_op": reduce, **numbers}
    found: Tensor = symbolic(f"{_DOMAIN}::{OPERATOR}", (x,), options, dtype=x.dtype, shape=shape, version=1)
    return found


def exchanges_of(onnx: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the attributes of every exchange of an ONNX file, by the name of its node."""
    from onnx import load
    from onnx.helper import get_attribute_value

    # Only attributes are needed, and external weights may be large.
    model = load(str(onnx), load_external_data=False)
    nodes = [node for node in model.graph.node if node.op_type == OPERATOR]
    return {node.name: {one.name: _plain(get_attribute_value(one)) for one in node.attribute} for node in nodes}


def _plain(value: Any) -> Any:
    """Return text as text."""
    return value.decode() if isinstance(value, bytes) else value
