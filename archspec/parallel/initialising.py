"""Seeded initialisation that does not depend on how a module is distributed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from archspec.analyses.parameters import expand
from archspec.checking.checks import SpecSource, accepted
from archspec.ir.init import Init
from archspec.layouts.parameters import parameter_shapes
from archspec.weights.into_module import check_names, held_tensors, own_shapes, put_parts
from archspec.weights.parts import cut

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def initialise(module: nn.Module, source: SpecSource, *, seed: int, unproved: bool = False) -> None:
    """Initialise every parameter and buffer as the spec says, from a seed and its name.

    The values are the same however the module is distributed, and on every device: each tensor is drawn whole, on the
    CPU in float32, from a generator of its own, and then cut to what the rank holds and converted to the module's
    dtype. They have the distributions of `reset_parameters`, which the module calls when it is made, but are not the
    values that `torch.manual_seed` gives there, since these depend on the order in which tensors are drawn.

    Args:
        module: what `archspec.compile` made of the spec, or `make_stage` of its `pipeline.py`, whole or with parameters
            that are DTensors. On the meta device it gets memory: on the devices of its mesh, or the CPU.
        source: the spec.
        seed: any whole number.
        unproved: go on although something in the spec does not hold.

    Raises:
        SpecError: E607 where the module does not belong to the spec.
    """
    graph = accepted(source, unproved=unproved).spec.graph
    shapes = own_shapes(module, parameter_shapes(graph))
    actual, held = held_tensors(module, shapes)
    check_names(held, shapes)
    inits = {name: parameter.init for name, parameter in expand(graph).items()}
    drawn = ((name, cut(_drawn(name, seed, held[name].shape, inits[name]), held[name])) for name in shapes)
    if all(one.is_meta for one in held.values()):
        put_parts(module, {actual[name]: (held[name], part) for name, part in drawn}, keep=False)
        return
    # One at a time: a whole tensor may be many times what the rank holds.
    for name, part in drawn:
        put_parts(module, {actual[name]: (held[name], part)})


def _drawn(name: str, seed: int, shape: torch.Size, init: Init) -> Tensor:
    """Draw a tensor whole."""
    import torch

    # A hash keeps tensors of like names, and of seeds that are next to each other, independent.
    number = int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:8], "little", signed=True)
    return _filled(torch.empty(shape, dtype=torch.float32), init, torch.Generator().manual_seed(number))


def _filled(tensor: Tensor, init: Init, generator: torch.Generator) -> Tensor:
    """Fill a tensor as `reset_parameters` does. Raises ValueError for an initialisation that is not known."""
    from torch import nn

    match init:
        case Init(kind="constant", value=value):
            return nn.init.constant_(tensor, value)
        case Init(kind="normal", value=std):
            return nn.init.normal_(tensor, std=std, generator=generator)
        case Init(kind="truncated_normal", value=std):
            return nn.init.trunc_normal_(tensor, std=std, generator=generator)
        case Init(kind="uniform", value=limit):
            return nn.init.uniform_(tensor, -limit, limit, generator=generator)
        case Init(kind="xavier_uniform"):
            return nn.init.xavier_uniform_(tensor, generator=generator)
        case Init(kind="kaiming_normal"):
            return nn.init.kaiming_normal_(tensor, generator=generator)
        case _:
            raise ValueError(f"there is no initialisation {init.kind}")
