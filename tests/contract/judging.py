"""What the contract says of a changed source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import chain

import numpy as np

from archspec.checking import compile
from archspec.contract.compiled import parity_at_large
from archspec.contract.fill import fill
from archspec.contract.gradients import subject_of
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import findings_of
from archspec.diagnostics import SpecError
from archspec.ir.call import Call
from archspec.lower import cache, class_name
from archspec.ops.elementwise.constant import Constant
from archspec.spec.claims import Claims
from tests.contract.mutations import Mutant
from tests.mutation.exact import broken
from tests.mutation.judging import Court, Outcome
from tests.mutation.operators import mutants
from tests.mutation.table import OPERATORS

SAME_CHANGE = {"drop the keep guard": "drop the guard of empty rows"}
"""Operators on the source, and those on the graph that do the same."""


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
        found = chain(findings_of(subject, claims, parameters=parameters), at_large(claims, subject))
        return next((one.claim for one in found if one.status == "violated"), None)
    except SpecError:
        return "runs"


def at_large(claims: Claims, subject: Subject) -> Iterator[Finding]:
    yield parity_at_large(claims, subject.exact)


def is_missed(claims: Claims, mutant: Mutant) -> bool:
    """Whether no claim catches a mutant that changes something; the claim that is quickest to judge comes first."""
    subject, _ = trial(claims, mutant.source)
    with suppress(SpecError):
        if parity_at_large(claims, subject.exact).status == "violated":
            return False
    return judged(claims, mutant).status == "missed"


def judged(claims: Claims, mutant: Mutant) -> Outcome:
    """Caught by a claim; else equivalent where the same change of the graph is, by exact wiring; else missed."""
    claim = first_violation(claims, mutant.source)
    if claim is not None:
        return Outcome(status="caught", judge="contract", detail=claim)
    if is_equivalent(claims, mutant):
        detail = "the same change of the graph obeys every rule by exact wiring, and computes the same"
        return Outcome(status="equivalent", judge="wiring", detail=detail)
    return Outcome(status="missed", judge="contract", detail="every claim holds")


def is_equivalent(claims: Claims, mutant: Mutant) -> bool:
    """Whether the same change of the graph, in every module of the changed class, changes nothing."""
    if mutant.operator == "lose a residual" and adds_to_zeros(claims, mutant.site.partition(":")[0]):
        return True
    operator = next((one for one in OPERATORS if one.name == SAME_CHANGE.get(mutant.operator)), None)
    if operator is None:
        return False
    paths = modules(claims, mutant.site.partition(":")[0])
    changed = [one.spec for one in mutants(claims.spec, [operator]) if one.site.node.scope in paths]
    court = Court(claims.spec)
    return bool(changed) and all(broken(one) is None and court.compared(one).status == "equivalent" for one in changed)


def adds_to_zeros(claims: Claims, kind: str) -> bool:
    """Whether every call of a class is given a constant of zeros first, as DETR's positions alone are: x + f is f."""
    calls = [node for node in claims.spec.graph.nodes if isinstance(node.op, Call) and node.op.kind == kind]
    made = [node.inputs[0].producer for node in calls]
    return bool(made) and all(
        one is not None and isinstance(one.op, Constant) and one.op.number.constant() == 0 for one in made
    )


def modules(claims: Claims, kind: str) -> set[str]:
    """Paths of the modules of one class, with a star for the index of a layer."""
    found = compile(claims.spec).named_modules()
    return {re.sub(r"\.\d+\b", ".*", name) for name, module in found if type(module).__name__ == kind}
