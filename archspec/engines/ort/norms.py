"""RMS norms as operators of ONNX Runtime, with the sums of the residual stream before them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

_NORM, _SUMMED = "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"


def name_norms(module: nn.Module) -> None:
    """Let every RMS norm of a module be exported as one operator."""
    from torch import nn

    for norm in module.modules():
        if isinstance(norm, nn.RMSNorm) and norm.weight is not None and norm.eps is not None:
            norm.forward = partial(_normalised, norm)  # type: ignore[method-assign]


def _normalised(norm: nn.RMSNorm, x: Tensor) -> Tensor:
    from torch.onnx.ops import symbolic

    # The runtime has this operator in the standard domain, which does not.
    assert norm.eps is not None
    # A `stash_type` of 1 is float32: the statistics of half precision are computed in it.
    options: dict[str, Any] = {"axis": -1, "epsilon": norm.eps, "stash_type": 1}
    found: Tensor = symbolic(_NORM, (x, norm.weight), options, dtype=x.dtype, shape=x.shape, version=1)
    return found


def join_sums(graph: Any) -> None:
    """Let each norm of a sum of two tensors of one shape make the sum, too."""
    # A list, because joining changes the graph that is walked.
    for node in list(graph):
        added = node.inputs[0].producer() if node.op_type == _NORM else None
        if added is not None and added.op_type == "Add" and _is_plain(added):
            _join(graph, added, node)


def _is_plain(added: Any) -> bool:
    """Whether an addition broadcasts nothing."""
    shapes = [value.shape for value in (*added.inputs, *added.outputs)]
    return None not in shapes and len(shapes[0]) == 3 and all(shape == shapes[0] for shape in shapes)


def _join(graph: Any, added: Any, norm: Any) -> None:
    """Put one node in place of a sum and its norm."""
    import onnx_ir

    made = onnx_ir.node(
        _SUMMED,
        [*added.inputs, norm.inputs[1]],
        {"epsilon": norm.attributes["epsilon"].as_float()},
        domain="com.microsoft",
        num_outputs=4,
    )
    old = (norm.outputs[0], added.outputs[0])
    for value, new in zip(old, (made.outputs[0], made.outputs[3]), strict=True):
        new.name, new.shape, new.type = f"{value.name}.joined", value.shape, value.type
    # Outputs without a name are not computed.
    for new in made.outputs[1:3]:
        new.name = ""
    graph.insert_after(added, made)
    for value, new in zip(old, (made.outputs[0], made.outputs[3]), strict=True):
        onnx_ir.convenience.replace_all_uses_with(value, new)
    graph.remove([norm, added], safe=True)
