"""Every mistake in the emitted source of every shipped spec is caught, and most by the rule that is about it."""

from __future__ import annotations

from collections import Counter

import pytest

from archspec.checking import accepted
from archspec.contract.verify import verify
from archspec.lower import emit
from archspec.model.exposing import with_inner
from archspec.spec.claims import load_claims
from tests.contract.judging import first_violation, is_equivalent, is_missed, trial
from tests.contract.mutations import OPERATORS, Mutant, mutants
from tests.mutation.shipped import OWN, SHIPPED, ranked, skip_if_same


@pytest.mark.parametrize("name", ranked([*SHIPPED, *OWN]))
def test_every_mutant_is_caught(name: str) -> None:
    skip_if_same(name)
    claims = with_inner(load_claims(OWN.get(name, name), reduced=True).spec)
    assert first_violation(claims, emit(accepted(claims.spec))) is None
    tried: Counter[str] = Counter()
    for mutant in mutants(emit(accepted(claims.spec))):
        tried[mutant.operator] += 1
        assert not is_missed(claims, mutant), (mutant.operator, mutant.site)
    assert tried["mix the batch"] > 2


@pytest.mark.parametrize(("kind", "equivalent"), [("EncoderAttention", True), ("CrossAttention", False)])
def test_a_mutant_changes_nothing_where_wiring_says_so(kind: str, equivalent: bool) -> None:
    """A row of nothing but padding may read itself in an encoder whose padding nothing reads; elsewhere it may not."""
    claims = load_claims("transformer-base", reduced=True)
    mutant = Mutant(operator="drop the keep guard", site=f"{kind}:1", source="")
    assert is_equivalent(claims, mutant) is equivalent


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


FAST = [("gpt2", "drop is_causal"), ("bert-base", "flip a predicate"), ("packed", "flip a comparison")]


@pytest.mark.parametrize(
    ("name", "operator"),
    [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in EXPECTED if case not in FAST)],
)
def test_a_mistake_breaks_the_rule_that_is_about_it(name: str, operator: str) -> None:
    claims = load_claims(OWN.get(name, name), reduced=True)
    found = [mutant for mutant in mutants(emit(accepted(claims.spec))) if mutant.operator == operator]
    broken = set()
    for mutant in found:
        subject, parameters = trial(claims, mutant.source)
        report = verify(subject, claims, parameters=parameters)
        broken |= {one.claim.partition("(")[0] for one in report.violations}
    assert EXPECTED[name, operator] in broken


def test_operators_change_one_place_each() -> None:
    source = emit(accepted(load_claims("transformer-base", reduced=True).spec))
    made = list(mutants(source))
    assert {mutant.operator for mutant in made} >= {*OPERATORS} - {
        "shift a comparison by one",
        "flip a comparison",
        "and to or",
        "drop the fill of a bias",
    }
    assert len({mutant.source for mutant in made}) == len(made)
