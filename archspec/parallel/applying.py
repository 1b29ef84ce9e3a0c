"""Split a module that stands in memory: emission of `parallelize.py`, its import, and its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.checking.checks import SpecSource, accepted
from archspec.layouts.parameters import parameter_shapes
from archspec.lower.modules import stored_module
from archspec.parallel.emission import emit_parallelize
from archspec.weights.into_module import check_names, held_tensors

if TYPE_CHECKING:
    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh

_DATA, _TENSOR = "data", "tensor"


def parallelize(
    module: nn.Module,
    source: SpecSource,
    mesh: DeviceMesh,
    *,
    unproved: bool = False,
    sequence: bool = False,
    expert_parallel: bool = False,
    checkpoint_layers: bool = False,
    split_outputs: bool = False,
    **options: Any,
) -> nn.Module:
    """Split a module over the ranks of a mesh, in place, as the `parallelize.py` of its spec does.

    Every rank calls it. Parameters become DTensors; give them values before, the same on every rank, or make the module
    under `torch.device("meta")` and call `load_weights` or `initialise` afterwards. Then make the optimizer.

    Args:
        module: what `archspec.compile` made of the spec, without exposed values.
        source: the spec.
        mesh: has a dim "tensor" of the ranks that share every layer, a dim "data" of those that have data of their own,
            or both.
        unproved: go on although something in the spec does not hold.
        sequence: whether ranks hold parts of the length in repeated layers, where nothing else is split.
        expert_parallel: whether tensor ranks have whole experts, where they divide these.
        checkpoint_layers: whether the values in layers are computed again for the backward pass, and not kept.
        split_outputs: whether results of which each tensor rank has a part, such as logits over a vocabulary, are left
            so, as DTensors: `torch.distributed.tensor.parallel.loss_parallel` computes the cross entropy of these.
        options: further arguments of `fully_shard`, such as `mp_policy`.

    Returns:
        the module.

    Raises:
        SpecError: E607 where the module does not belong to the spec, E900 where nothing is split over the tensor ranks,
            no length is cut with `sequence`, or no experts are whole with `expert_parallel`, E503 where the code cannot
            be stored.
        ValueError: for a mesh with other dims, a module that is split already, `split_outputs` where no result is in
            parts, or `options` without a dim "data".
    """
    sizes = dict(zip(mesh.mesh_dim_names or (), mesh.shape, strict=False))
    if not sizes or sizes.keys() - {_DATA, _TENSOR}:
        raise ValueError(f'expected a mesh with the dims "{_DATA}" and "{_TENSOR}", found {mesh.mesh_dim_names}')
    checked = accepted(source, unproved=unproved)
    shapes = parameter_shapes(checked.spec.graph)
    check_names(held_tensors(module, shapes)[1], shapes)
    ranks = sizes.get(_TENSOR, 1)
    if ranks == 1 and _DATA in sizes:
        # Nothing is split, so parameters need no second dim.
        mesh = mesh[_DATA]
    made = stored_module(emit_parallelize(checked, ranks, sequence=sequence, expert_parallel=expert_parallel))
    split: nn.Module = made.parallelize(
        module, mesh, checkpoint_layers=checkpoint_layers, split_outputs=split_outputs, **options
    )
    return split
