"""Mistakes in lowered networks: each operator changes one layer, at every layer where it applies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archspec.engines.network.plan import NetworkLayer, NetworkPlan

Change = Callable[[NetworkPlan, NetworkLayer], NetworkLayer | None]
"""The changed layer, or None where the operator does not apply."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed plan: what was done to it, and to which layer."""

    operator: str
    site: str
    plan: NetworkPlan


def mutants(plan: NetworkPlan) -> Iterator[Mutant]:
    """Every operator at every layer that computes floats or truths; sizes of tensors are left alone."""
    for operator, change in OPERATORS.items():
        for place, step in enumerate(plan.steps):
            changed = change(plan, step) if _counts(plan, step) else None
            if changed is not None:
                steps = (*plan.steps[:place], changed, *plan.steps[place + 1 :])
                yield Mutant(operator=operator, site=f"{step.node or step.name}", plan=replace(plan, steps=steps))


def _counts(plan: NetworkPlan, step: NetworkLayer) -> bool:
    return all(plan.wires[number].dtype in ("FLOAT", "BOOL") for number in step.outputs)


def maker(plan: NetworkPlan, number: int | None) -> NetworkLayer | None:
    """The layer that makes a wire."""
    return next((step for step in plan.steps if number in step.outputs), None)


def constant(plan: NetworkPlan, number: int | None) -> Any:
    """The values of a wire that is a constant, perhaps reshaped or cast; None for any other."""
    step = maker(plan, number)
    while step is not None and step.kind in ("SHUFFLE", "CAST", "UNSQUEEZE"):
        step = maker(plan, step.inputs[0])
    return step.attributes["weights"] if step is not None and step.kind == "CONSTANT" else None


def changed(step: NetworkLayer, **attributes: Any) -> NetworkLayer:
    return replace(step, attributes={**step.attributes, **attributes})


def passing(step: NetworkLayer, index: int) -> NetworkLayer:
    """The layer gives one of its inputs."""
    return replace(step, kind="IDENTITY", attributes={}, inputs=(step.inputs[index],))


def drop_select(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A mask, or a guard of empty rows, that is not looked at."""
    if step.kind != "SELECT":
        return None
    condition, x, _ = step.inputs
    return replace(step, inputs=(condition, x, x))


def invert_select(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A mask, or a guard, with its sides changed."""
    if step.kind != "SELECT":
        return None
    condition, x, y = step.inputs
    return replace(step, inputs=(condition, y, x))


def drop_not(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A predicate that is not negated."""
    return passing(step, 0) if step.kind == "UNARY" and step.attributes["op"] == "NOT" else None


def other_logic(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """And for or, or for and."""
    other = {"AND": "OR", "OR": "AND"}
    if step.kind != "ELEMENTWISE" or step.attributes["op"] not in other:
        return None
    return changed(step, op=other[step.attributes["op"]])


def other_comparison(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """Less for greater: a diagonal, or a window, on the other side."""
    other = {"LESS": "GREATER", "GREATER": "LESS"}
    if step.kind != "ELEMENTWISE" or step.attributes["op"] not in other:
        return None
    return changed(step, op=other[step.attributes["op"]])


def without_equality(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """`<=` that has become `<`, and the like: the side that takes the equal ones is lost."""
    if step.kind != "ELEMENTWISE" or step.attributes["op"] != "OR":
        return None
    sides = [maker(plan, number) for number in step.inputs]
    equal = [side is not None and side.attributes.get("op") == "EQUAL" for side in sides]
    return passing(step, equal.index(False)) if equal.count(True) == 1 else None


def drop_scale(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A product or a quotient with one number that is lost."""
    if step.kind != "ELEMENTWISE" or step.attributes["op"] not in ("PROD", "DIV"):
        return None
    for index, number in enumerate(step.inputs):
        values = constant(plan, number)
        if values is not None and values.size == 1 and float(values[0]) not in (0.0, 1.0):
            other = 1 - index
            return passing(step, other) if index == 1 or step.attributes["op"] == "PROD" else None
    return None


def drop_term(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """The second term of a sum: a residual, a bias, a position, a mask."""
    if step.kind != "ELEMENTWISE" or step.attributes["op"] != "SUM":
        return None
    first, second = (plan.wires[number].shape for number in step.inputs if number is not None)
    wide = 0 if constant(plan, step.inputs[0]) is None else 1
    return passing(step, wide) if first is not None and second is not None and len(first) > 1 else None


def negate_term(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A sum that has become a difference."""
    if step.kind != "ELEMENTWISE" or step.attributes["op"] != "SUM":
        return None
    values = constant(plan, step.inputs[1])
    return changed(step, op="SUB") if values is None or values.size > 1 else None


def other_axis(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """Softmax, a reduction or a normalization over the axis before."""
    if step.kind not in ("SOFTMAX", "REDUCE", "NORMALIZATION") or step.attributes["axes"] < 2:
        return None
    return changed(step, axes=step.attributes["axes"] >> 1)


def swap_order(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A transpose with two of its axes changed: heads for positions, say."""
    if step.kind != "SHUFFLE" or not step.outputs:
        return None
    order, shape = step.attributes["first_transpose"], plan.wires[step.outputs[0]].shape
    rank = len(shape or ())
    if rank < 3 or tuple(order) == tuple(range(len(order))) or tuple(order[:rank]) == tuple(range(rank)):
        return None
    turned = list(order)
    turned[rank - 1], turned[rank - 2] = turned[rank - 2], turned[rank - 1]
    return changed(step, first_transpose=tuple(turned))


def drop_order(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A transpose that is lost."""
    if step.kind != "SHUFFLE":
        return None
    order = step.attributes["first_transpose"]
    shape = plan.wires[step.inputs[0]].shape if step.inputs[0] is not None else None
    rank = len(shape or ())
    return None if tuple(order[:rank]) == tuple(range(rank)) else changed(step, first_transpose=tuple(range(8)))


def turn_matrix(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A product with its second matrix transposed, or no longer so."""
    if step.kind != "MATRIX_MULTIPLY":
        return None
    return changed(step, op1="NONE" if step.attributes["op1"] == "TRANSPOSE" else "TRANSPOSE")


def drop_activation(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A function of each number that is lost."""
    functions = step.kind == "ACTIVATION" or (step.kind == "UNARY" and step.attributes["op"] in ("ERF", "EXP", "SQRT"))
    return passing(step, 0) if functions else None


def drop_normalization(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A normalization that is lost."""
    return passing(step, 0) if step.kind == "NORMALIZATION" else None


def drop_norm_bias(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """The shift of a normalization that is lost."""
    return replace(step, inputs=(*step.inputs[:2], None)) if step.kind == "NORMALIZATION" else None


def drop_softmax(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """Scores that are used as they are."""
    return passing(step, 0) if step.kind == "SOFTMAX" else None


def sum_for_mean(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A sum for a mean, a mean for a sum."""
    other = {"SUM": "AVG", "AVG": "SUM"}
    if step.kind != "REDUCE" or step.attributes["op"] not in other:
        return None
    return changed(step, op=other[step.attributes["op"]])


def other_gather_axis(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """What is looked up along another axis."""
    if step.kind != "GATHER" or step.attributes["axis"] == 0:
        return None
    return changed(step, axis=step.attributes["axis"] - 1)


def reverse_parts(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """Parts that are put together the other way round."""
    return replace(step, inputs=step.inputs[::-1]) if step.kind == "CONCATENATION" else None


def shift_weights(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A table or a matrix whose rows are one place too far."""
    if step.kind != "CONSTANT" or len(step.attributes["shape"]) < 2 or step.attributes["shape"][0] < 2:
        return None
    rows = step.attributes["weights"].reshape(step.attributes["shape"])
    return changed(step, weights=np.roll(rows, 1, 0).reshape(-1))


def wider_stride(plan: NetworkPlan, step: NetworkLayer) -> NetworkLayer | None:
    """A convolution or a pooling with one position of padding less."""
    if step.kind not in ("CONVOLUTION", "POOLING") or not any(step.attributes["pre_padding"]):
        return None
    zeros = (0,) * len(step.attributes["pre_padding"])
    after = tuple(
        low + high for low, high in zip(*(step.attributes[f"{one}_padding"] for one in ("pre", "post")), strict=True)
    )
    return changed(step, pre_padding=zeros, post_padding=after)


OPERATORS: dict[str, Change] = {
    "drop the mask or guard": drop_select,
    "invert the mask or guard": invert_select,
    "drop a negation": drop_not,
    "and for or": other_logic,
    "flip a comparison": other_comparison,
    "lose equality": without_equality,
    "lose the scale": drop_scale,
    "lose a term": drop_term,
    "negate a term": negate_term,
    "another axis": other_axis,
    "swap axes": swap_order,
    "lose a transpose": drop_order,
    "turn a matrix": turn_matrix,
    "lose an activation": drop_activation,
    "lose a normalization": drop_normalization,
    "lose a norm's bias": drop_norm_bias,
    "lose the softmax": drop_softmax,
    "sum for mean": sum_for_mean,
    "another axis of a table": other_gather_axis,
    "parts in reverse": reverse_parts,
    "shift a table": shift_weights,
    "shift the padding": wider_stride,
}
