"""Every mistake in the emitted source of every shipped spec is caught, and most by the rule that is about it."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from archspec.contract.fill import fill
from archspec.contract.protocol import Subject
from archspec.contract.torch_module import TorchRunner
from archspec.contract.verify import findings_of, verify
from archspec.diagnostics import SpecError
from archspec.lower import cache, class_name, emit
from archspec.spec.claims import Claims, load_claims, with_inner
from tests.contract.mutations import OPERATORS, mutants
from tests.contract.test_shipped import SHIPPED

OWN = {path.stem: path for path in sorted((Path(__file__).parent / "specs").glob("*.yaml"))}


def trial(claims: Claims, source: str) -> tuple[Subject, dict[str, np.ndarray]]:
    module = import_module(f"archspec.generated.{cache.store(source)}")
    model = fill(getattr(module, class_name(claims.spec.name))())
    runner = TorchRunner(model, claims.inputs, claims.outputs)
    parameters = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return Subject(name="mutant", runner=runner, exact=runner.exact()), parameters


def caught(claims: Claims, source: str) -> bool:
    """Whether anything is violated; the first finding is enough."""
    subject, parameters = trial(claims, source)
    try:
        return any(found.status == "violated" for found in findings_of(subject, claims, parameters=parameters))
    except SpecError:
        return True


EQUIVALENT = {
    # A row without keys is padding all through, and cross-attention reads nothing of it.
    ("transformer-base", "drop the keep guard", "EncoderAttention"),
    ("t5-small", "drop the keep guard", "EncoderAttention"),
}
SAME_CODE = ("transformer-big", "vit-h14", "vit-l16")
"""Specs that differ from another one in their constants alone, and have its code when reduced."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(name for name in SHIPPED if name not in SAME_CODE), *OWN])
def test_every_mutant_is_caught(name: str) -> None:
    claims = with_inner(load_claims(OWN.get(name, name), reduced=True).spec)
    assert caught(claims, emit(claims.spec)) is False
    survivors, tried = set(), Counter()
    for mutant in mutants(emit(claims.spec)):
        tried[mutant.operator] += 1
        if not caught(claims, mutant.source):
            survivors.add((name, mutant.operator, mutant.site.partition(":")[0]))
    assert survivors == {known for known in EQUIVALENT if known[0] == name}
    assert tried["mix the batch"] > 3


EXPECTED = {
    ("gpt2", "drop is_causal"): "causal",
    ("transformer-base", "drop is_causal"): "causal",
    ("transformer-base", "drop the mask"): "ignores",
    ("transformer-base", "invert the mask"): "ignores",
    ("bert-base", "drop the mask"): "ignores",
    ("bert-base", "flip a predicate"): "ignores",
    ("vit-b16", "mix the batch"): "independent",
    ("gpt2", "shift keys by one"): "causal",
    ("windowed", "shift a comparison by one"): "window",
    ("windowed", "flip a comparison"): "window",
    ("packed", "flip a comparison"): "segments",
    ("packed", "and to or"): "segments",
    ("prefix", "flip a comparison"): "within",
}


@pytest.mark.parametrize(("name", "operator"), EXPECTED)
def test_a_mistake_breaks_the_rule_that_is_about_it(name: str, operator: str) -> None:
    claims = load_claims(OWN.get(name, name), reduced=True)
    found = [mutant for mutant in mutants(emit(claims.spec)) if mutant.operator == operator]
    broken = set()
    for mutant in found:
        subject, parameters = trial(claims, mutant.source)
        report = verify(subject, claims, parameters=parameters)
        broken |= {one.claim.partition("(")[0] for one in report.violations}
    assert EXPECTED[name, operator] in broken


def test_operators_change_one_place_each() -> None:
    source = emit(load_claims("transformer-base", reduced=True).spec)
    made = list(mutants(source))
    assert {mutant.operator for mutant in made} >= {*OPERATORS} - {
        "shift a comparison by one",
        "flip a comparison",
        "and to or",
        "drop the fill of a bias",
    }
    assert len({mutant.source for mutant in made}) == len(made)
