"""What tells two networks apart: every layer, what it was given, how they are wired, every weight."""

from __future__ import annotations

import hashlib
from typing import Any

from archspec.engines.network.plan import NetworkPlan


def digest(plan: NetworkPlan) -> str:
    """SHA-256 of a plan. Two networks with one digest compute the same, whatever process read them."""
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
    if hasattr(value, "nbytes"):
        found.update(f"{value.dtype} {value.shape}".encode())
        found.update(memoryview(value).cast("B") if value.size else b"")
    else:
        found.update(repr(value).encode())
