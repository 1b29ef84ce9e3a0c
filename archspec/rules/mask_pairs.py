"""The pairs that a rule's own mask allows on given inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.masks.evaluate import evaluate
from archspec.masks.mask import All, And, KeyValid, Mask, Or, Prefix, SameSegment
from archspec.rules.measure import Measured, depends
from archspec.spec import Rule

if TYPE_CHECKING:
    from archspec.rules.measure import Array


def allowed_pairs(rule: Rule, inputs: Measured) -> Array:
    """The pairs of a rule's mask: bool [batch or 1, output positions, input positions].

    Parts of the mask that read the rule's own input allow everything, for they hold for any of its values.
    """
    import numpy as np

    assert rule.mask is not None
    out, inp = rule.axis
    queries, keys = inputs.count(rule.output, out), inputs.count(rule.input, inp)
    controls = [np.zeros(0) if depends(value, rule.input) else inputs.value(value) for value in rule.controls]
    found = evaluate(_erased(rule.mask, rule), queries, keys, controls, inputs.sizes)
    return found.reshape(-1, queries, keys)


def _erased(mask: Mask, rule: Rule) -> Mask:
    match mask:
        case And(terms=terms):
            return And(tuple(_erased(term, rule) for term in terms))
        case Or(terms=terms):
            return Or(tuple(_erased(term, rule) for term in terms))
        case KeyValid(control=int(control)) | SameSegment(control=int(control)) | Prefix(control=int(control)):
            return All() if depends(rule.controls[control], rule.input) else mask
        case _:
            return mask
