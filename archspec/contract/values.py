"""Values that rules name apart from the graph: predicates, segments and controls of masks, on given arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.masks.atoms.all import All
from archspec.masks.evaluate import evaluate
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask
from archspec.masks.walk import replaced
from archspec.model.runner import Array, Arrays
from archspec.spec import Rule


class UnmeasurableError(Exception):
    """A rule names something that no artifact shows; the text says what."""


def evaluated(value: Value, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """A value that inputs alone determine. Raises UnmeasurableError for one that parameters determine too."""
    node = value.producer
    if node is None:
        if value.name not in arrays:
            raise UnmeasurableError(f"`{value.name}` is no input")
        return arrays[value.name]
    if not isinstance(node.op, Primitive) or node.parameters:
        raise UnmeasurableError(f"`{value.name}` depends on parameters")
    operands = [evaluated(operand, arrays, sizes) for operand in node.inputs]
    return np.asarray(node.op.reference(operands, {}, sizes)[value.index])


def depends(value: Value, source: Value) -> bool:
    """Whether a value is made from another one."""
    if value is source:
        return True
    return value.producer is not None and any(depends(operand, source) for operand in value.producer.inputs)


def allowed(rule: Rule, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """Which input positions each output position may depend on: bool [batch or 1, outputs, inputs].

    Parts of a mask that read the rule's own input allow everything, for they hold for any of its values.
    """
    queries, keys = (value.type.shape[1].value(sizes) for value in (rule.output, rule.input))
    if rule.by is not None:
        if depends(rule.by, rule.input):
            raise UnmeasurableError("the segments are the input itself")
        segments = evaluated(rule.by, arrays, sizes)
        return np.equal(segments[..., :, None], segments[..., None, :]).reshape(-1, queries, keys)
    if rule.back is not None and rule.ahead is not None:
        behind = np.arange(queries)[:, None] - np.arange(keys)
        return ((behind <= rule.back.value(sizes)) & (-behind <= rule.ahead.value(sizes)))[None]
    mask = All() if rule.mask is None else _erased(rule.mask, rule)
    controls = [
        np.zeros(0) if depends(value, rule.input) else evaluated(value, arrays, sizes) for value in rule.controls
    ]
    return evaluate(mask, queries, keys, controls, sizes).reshape(-1, queries, keys)


def _erased(mask: Mask, rule: Rule) -> Mask:
    def erased(leaf: Leaf) -> Mask:
        reads = any(depends(rule.controls[control], rule.input) for control in leaf.controls())
        return All() if reads else leaf

    return replaced(mask, erased)
