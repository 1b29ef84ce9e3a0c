"""Hash everything that distinguishes two networks: layers, their attributes, how they are connected, and weights."""

from __future__ import annotations

import hashlib
from typing import Any

from archspec.engines.network.plan import NetworkPlan


def digest(plan: NetworkPlan) -> str:
    """Return the SHA-256 of a plan. Networks with the same digest compute the same, whichever process read them."""
    found = hashlib.sha256()
    for wire in plan.wires:
        found.update(repr((wire.name, wire.dtype, wire.shape)).encode())
    found.update(repr((plan.inputs, plan.outputs)).encode())
    for step in plan.steps:
        found.update(repr((step.name, step.kind, step.inputs, step.outputs)).encode())
        for name, value in step.attributes.items():
            found.update(name.encode())
            _add(found, value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    """Add a value: an array by its type, shape and bytes, anything else by its text."""
    if hasattr(value, "nbytes"):
        found.update(f"{value.dtype} {value.shape}".encode())
        # A view without elements cannot be cast.
        found.update(value.view("B").data if value.size else b"")
    else:
        found.update(repr(value).encode())
