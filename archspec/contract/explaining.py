"""Causes of violations, where they can be determined."""

from __future__ import annotations

from dataclasses import replace

from archspec.contract.protocol import Subject
from archspec.contract.report import Finding
from archspec.contract.sizes import probe
from archspec.diagnostics import SpecError
from archspec.model.runner import Watched
from archspec.model.samples import generate, patterns
from archspec.spec.claims import Claims


def explained(claims: Claims, subject: Subject, found: Finding, seed: int) -> Finding:
    """A finding on the independence of batch rows, with the cause added if a batch norm runs in training mode.

    Findings that are not violations are returned unchanged.
    """
    if found.status != "violated" or not trains_a_batch_norm(claims, subject, seed):
        return found
    reason = "a batch norm runs in training mode and mixes the rows of the batch: call `eval()` on the model"
    return replace(found, detail=f"{found.detail}; {reason}")


def trains_a_batch_norm(claims: Claims, subject: Subject, seed: int) -> bool:
    """Whether the model calls a batch norm that takes its statistics from the batch.

    False, too, where the runner cannot observe the model's calls or the model fails to run.
    """
    runner = subject.runner
    if not isinstance(runner, Watched):
        return False
    try:
        return runner.trains_a_batch_norm(generate(claims, probe(claims), patterns(claims)[0], seed))
    except SpecError:
        return False
