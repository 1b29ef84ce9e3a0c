"""What follows every norm: a product with a weight and a sum with a bias, one of each a feature or channel."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.init import Init
from archspec.ir.op import ParameterSpec, Role
from archspec.ir.source import literal, operand
from archspec.ir.types import TensorType


def scaling(
    each: TensorType, *, weight: bool, bias: bool, unit_offset: bool, roles: tuple[Role, Role] = ("norm", "bias")
) -> dict[str, ParameterSpec]:
    """The parameters `weight` and `bias`, those that there are; `each` is the type of both.

    With `unit_offset` the factor is `1 + weight`, which then starts as zeros.
    """
    init = Init(kind="constant", value=0.0) if unit_offset else None
    specs = {"weight": ParameterSpec(type=each, role=roles[0], init=init)} if weight else {}
    return specs | ({"bias": ParameterSpec(type=each, role=roles[1])} if bias else {})


def factor(parameters: Mapping[str, str], unit_offset: bool) -> str | None:
    """The source of the factor, None without a weight."""
    weight = parameters.get("weight")
    return f"1 + {operand(weight)}" if weight and unit_offset else weight


def written_eps(eps: float) -> str | None:
    """The source of an epsilon; None for the default of PyTorch's layer, batch and group norms, 1e-5."""
    return None if eps == 1e-5 else literal(eps)
