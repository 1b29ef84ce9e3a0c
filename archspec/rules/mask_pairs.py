"""The pairs that the mask of a rule allows on given inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.masks.atoms.all import All
from archspec.masks.evaluate import evaluate
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask
from archspec.masks.walk import replaced
from archspec.rules.measure import Measured, depends
from archspec.spec import Rule

if TYPE_CHECKING:
    from archspec.rules.measure import Array


def allowed_pairs(rule: Rule, inputs: Measured) -> Array:
    """The pairs of a rule's mask: bool [batch or 1, output positions, input positions].

    Parts of the mask that read the rule's own input allow everything, because the rule must hold for any of its values.
    Raises UnmeasurableError for a control that depends on parameters.
    """
    import numpy as np

    assert rule.mask is not None
    out, inp = rule.axis
    queries, keys = inputs.count(rule.output, out), inputs.count(rule.input, inp)
    # No remaining atom reads the placeholder: `_erased` removes those that would.
    controls = [np.zeros(0) if depends(value, rule.input) else inputs.value(value) for value in rule.controls]
    found = evaluate(_erased(rule.mask, rule), queries, keys, controls, inputs.sizes)
    return found.reshape(-1, queries, keys)


def _erased(mask: Mask, rule: Rule) -> Mask:
    """The mask with `all` in place of every atom that reads the rule's input."""

    def erased(leaf: Leaf) -> Mask:
        reads = any(depends(rule.controls[control], rule.input) for control in leaf.controls())
        return All() if reads else leaf

    return replaced(mask, erased)
