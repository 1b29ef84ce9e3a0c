"""Masks as the language writes them."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.masks.mask import And, Causal, Given, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within


def text(mask: Mask, control_names: Sequence[str]) -> str:
    """`causal & key_valid(valid)`: a mask in the language, control n under the name `control_names[n]`.

    A mask that is made elsewhere is written as its name.
    """
    match mask:
        case And(terms=terms):
            return " & ".join(_factor(term, control_names) for term in terms)
        case Or(terms=terms):
            return " | ".join(text(term, control_names) for term in terms)
        case Causal():
            return "causal"
        case Last(count=count):
            return f"last({count})"
        case Within(distance=distance):
            return f"within({distance})"
        case KeyValid(control=control):
            return f"key_valid({control_names[control]})"
        case SameSegment(control=control):
            return f"same_segment({control_names[control]})"
        case Prefix(length=length, control=control):
            return f"prefix({length if control is None else control_names[control]})"
        case Given(control=control):
            return control_names[control]
        case _:
            return "all"


def _factor(mask: Mask, control_names: Sequence[str]) -> str:
    written = text(mask, control_names)
    return f"({written})" if isinstance(mask, Or) else written
