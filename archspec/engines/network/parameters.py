"""Replace parameters in a plan: constants that hold a parameter are recognised by their values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec.engines.network.plan import NetworkLayer, NetworkPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_HOLDERS = {"CONSTANT": "weights", "CONVOLUTION": "kernel", "DECONVOLUTION": "kernel"}
"""The kinds of layers that hold parameters, with TensorRT's names of the parameters."""


def with_parameters(
    plan: NetworkPlan, known: Mapping[str, Array], others: Mapping[str, Array]
) -> tuple[NetworkPlan, frozenset[str]]:
    """Return the plan with `others` in place of parameters of the same names, and the names that were replaced.

    `known` are all parameters of the model by name. A plan holds a parameter unchanged, or with its last two axes
    transposed. Not replaced are parameters with the same values as another, those equal to their own transpose, and
    values that were computed from parameters, such as a convolution with a folded norm.
    """
    forms = {digest: form for digest, form in _forms(known).items() if form[0] in others}
    found: set[str] = set()

    def changed(step: NetworkLayer) -> NetworkLayer:
        attribute = _HOLDERS.get(step.kind)
        array = step.attributes.get(attribute) if attribute is not None else None
        # Only float32 is compared: other types of a plan were converted and have other bytes.
        form = None if array is None or array.dtype.name != "float32" else forms.get(_digest(array))
        if attribute is None or form is None:
            return step
        name, turned = form
        found.add(name)
        other = _turned(others[name]) if turned else others[name]
        # Flat, as `array_of` gives weights.
        return replace(step, attributes={**step.attributes, attribute: other.reshape(-1)})

    steps = tuple(changed(step) for step in plan.steps)
    return replace(plan, steps=steps), frozenset(found)


def _forms(known: Mapping[str, Array]) -> dict[str, tuple[str, bool]]:
    """Map the digest of values to the parameter that has them and whether it is transposed.

    A parameter that could be mistaken for another, or whose orientation is ambiguous, is left out.
    """
    owners: dict[str, tuple[str, bool]] = {}
    doubtful: set[str] = set()
    for name, array in known.items():
        digests = [_digest(array), *([_digest(_turned(array))] if array.ndim > 1 else [])]
        # Equal to its own transpose: its values do not show which of the two a plan holds.
        if len(set(digests)) < len(digests) and min(array.shape[-2:]) > 1:
            doubtful.add(name)
        for turned, digest in enumerate(digests):
            if owners.setdefault(digest, (name, bool(turned)))[0] != name:
                doubtful |= {name, owners[digest][0]}
    return {digest: form for digest, form in owners.items() if form[0] not in doubtful}


def _turned(array: Array) -> Array:
    """Return an array with its last two axes transposed, in memory of its own."""
    import numpy as np

    return np.ascontiguousarray(np.swapaxes(array, -1, -2))


def _digest(array: Array) -> str:
    """Return the SHA-256 of an array's bytes."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(array).data.cast("B") if array.size else b"").hexdigest()
