"""What the contract says of a changed source."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from archspec.contract.fill import fill
from archspec.contract.gradients import subject_of
from archspec.contract.protocol import Subject
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import findings_of
from archspec.diagnostics import SpecError
from archspec.lower import cache, class_name
from archspec.spec.claims import Claims

EQUIVALENT = {
    # A row without keys is padding all through, and cross-attention reads nothing of it.
    ("transformer-base", "drop the keep guard", "EncoderAttention"),
    ("t5-small", "drop the keep guard", "EncoderAttention"),
}
"""Mutants that compute the same function, by spec, operator and class."""
SAME_CODE = ("transformer-big", "vit-h14", "vit-l16")
"""Specs that differ from another one in their constants alone, and have its code when reduced."""


def trial(claims: Claims, source: str) -> tuple[Subject, dict[str, np.ndarray]]:
    """The module of a source as a subject, and its parameters."""
    module = import_module(f"archspec.generated.{cache.store(source)}")
    model = fill(getattr(module, class_name(claims.spec.name))())
    runner = TorchRunner(model, claims.inputs, claims.outputs)
    return subject_of("mutant", runner), {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def first_violation(claims: Claims, source: str) -> str | None:
    """The first claim that is violated; None where all hold."""
    subject, parameters = trial(claims, source)
    try:
        found = findings_of(subject, claims, parameters=parameters)
        return next((one.claim for one in found if one.status == "violated"), None)
    except SpecError:
        return "runs"
