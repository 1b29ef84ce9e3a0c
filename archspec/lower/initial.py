"""`reset_parameters`: initialisation of parameters that `torch.nn` does not initialise as the spec requires."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from archspec.ir.init import Init
from archspec.lower.attributes import Attribute, Attributes, access
from archspec.lower.layout import fits, one_a_line, statement
from archspec.lower.syntax import parse

_BATCH_NORM = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0, "num_batches_tracked": 0.0}
_OWN_DEFAULTS = {
    "nn.LayerNorm": {"weight": 1.0, "bias": 0.0},
    "nn.RMSNorm": {"weight": 1.0},
    "nn.GroupNorm": {"weight": 1.0, "bias": 0.0},
    "nn.BatchNorm1d": _BATCH_NORM,
    "nn.BatchNorm2d": _BATCH_NORM,
}
"""Constants to which layers of `torch.nn` initialise parameters; they initialise all others in ways that no spec
requests.
"""


def reset_lines(attributes: Attributes, indent: str) -> list[str]:
    """Lines that initialise the parameters held by a class itself, with one loop for layers of the same initialisation.

    Args:
        attributes: the attributes of the class. Inner modules of emitted classes initialise themselves.
        indent: the indentation of the lines.
    """
    grouped: dict[tuple[tuple[str, Init], ...], list[str]] = {}
    for path, attribute in attributes.items():
        fills = tuple(_fills(attribute))
        if fills:
            grouped.setdefault(fills, []).append(access(path))
    lines: list[str] = []
    for fills, owners in grouped.items():
        if len(owners) == 1:
            lines += _calls(owners[0], fills, indent)
            continue
        target = "layer" if fills[0][0] else "parameter"
        lines += _loop(target, owners, indent)
        lines += _calls(target, fills, indent + "    ")
    return lines


def _loop(target: str, owners: list[str], indent: str) -> list[str]:
    """The first line of a loop over layers or parameters, or several lines if it is too long."""
    opening = f"for {target} in "
    line = f"{indent}{opening}({', '.join(owners)}):"
    return [line] if fits(line) else one_a_line(f"{opening}(", [parse(owner) for owner in owners], "):", indent)


def _calls(target: str, fills: tuple[tuple[str, Init], ...], indent: str) -> list[str]:
    """Lines of the calls that initialise the parameters of one layer."""
    calls = [_call(f"{target}.{local}" if local else target, init) for local, init in fills]
    return [line for call in calls for line in statement("", parse(call), indent=indent)]


def _fills(attribute: Attribute) -> Iterator[tuple[str, Init]]:
    """Local names and initialisations of the parameters that the layer does not initialise so by itself."""
    known = _OWN_DEFAULTS.get(_constructor(attribute.made), {})
    for local, parameter in attribute.parameters.items():
        if local not in known or parameter.init != Init(kind="constant", value=known[local]):
            yield local, parameter.init


def _constructor(made: ast.expr) -> str:
    """The class that is called, such as `nn.Linear`, without methods that are called on the instance."""
    while isinstance(made, ast.Call):
        function = made.func
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Call):
            return ast.unparse(function)
        made = function.value
    return ""


def _call(target: str, init: Init) -> str:
    """Source of the call of `nn.init` that initialises a parameter."""
    match init:
        case Init(kind="constant", value=0.0):
            return f"nn.init.zeros_({target})"
        case Init(kind="constant", value=1.0):
            return f"nn.init.ones_({target})"
        case Init(kind="constant", value=value):
            return f"nn.init.constant_({target}, {value!r})"
        case Init(kind="normal", value=std):
            return f"nn.init.normal_({target}, std={std!r})"
        case Init(kind="truncated_normal", value=std):
            return f"nn.init.trunc_normal_({target}, std={std!r})"
        case Init(kind="uniform", value=limit):
            return f"nn.init.uniform_({target}, {-limit!r}, {limit!r})"
        case Init(kind="xavier_uniform" | "kaiming_normal" as kind):
            return f"nn.init.{kind}_({target})"
        case _:
            raise ValueError(f"there is no initialisation {init.kind}")
