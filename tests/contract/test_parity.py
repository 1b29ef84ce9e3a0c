"""A model is compared with the interpreter in float32 and, where it has a twin in float64, far closer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archspec.checking import accepted
from archspec.contract.compiled import compiled_subject, verify_compiled
from archspec.contract.parity import parity
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding
from archspec.contract.sizes import probe
from archspec.lower import emit
from archspec.model.runner import Arrays, FunctionRunner, Runner
from archspec.spec.claims import load_claims
from tests.contract.judging import first_violation, trial
from tests.editing import edited


def off(runner: Runner, by: float) -> FunctionRunner:
    def run(arrays: Arrays) -> dict[str, np.ndarray]:
        return {name: array + by for name, array in runner.run(arrays).items()}

    return FunctionRunner(function=run)


def found(name: str, change: Callable[[Subject], Subject]) -> Finding:
    claims = load_claims(name, reduced=True)
    subject, parameters = compiled_subject(accepted(claims.spec), claims)
    return parity(claims, claims.spec, change(subject), parameters, probe(claims), 0)


@pytest.mark.parametrize(("by", "status"), [(1e-6, "holds"), (1e-3, "violated")])
def test_float32_admits_rounding(by: float, status: str) -> None:
    assert found("gpt2", lambda subject: replace(subject, runner=off(subject.runner, by), exact=None)).status == status


@pytest.mark.parametrize(("by", "status"), [(1e-12, "holds"), (1e-7, "violated")])
def test_float64_admits_less(by: float, status: str) -> None:
    one = found("gpt2", lambda subject: replace(subject, exact=off(subject.exact, by)))
    assert one.status == status
    assert ("in float64" in one.detail) is (status == "violated")


def test_a_cap_of_scores_that_are_small_is_not_lost_unseen() -> None:
    claims = load_claims("gemma-2-2b", reduced=True)
    capped = emit(accepted(claims.spec))
    line = next(line for line in capped.splitlines() if "torch.tanh(scores / " in line)
    subject, parameters = trial(claims, edited(capped, (line, line.partition("=")[0] + "= scores")))
    one = parity(claims, claims.spec, subject, parameters, probe(claims), 0)
    assert one.status == "violated"
    assert "in float64" in one.detail


def test_what_is_compiled_is_compared_at_large_parameters_too() -> None:
    """At small ones the branch of a layer whose units are all dead may do anything."""
    claims = load_claims("resnet-50", reduced=True)
    assert [one.status for one in verify_compiled(claims).findings if "large parameters" in one.claim] == ["holds"]
    last = "y = self.norm3(y)\n        return F.relu(x + y)"
    turned = emit(accepted(claims.spec)).replace(last, edited(last, ("x + y", "x + y.mT")), 1)
    # Kernels are drawn so that their sums keep their scale, and then units of other sizes see it, too.
    assert str(first_violation(claims, turned)).startswith("equal to the interpreter")
