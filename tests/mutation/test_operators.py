"""Every mistake in the graph of a shipped spec is caught by the judge that should catch it, or changes nothing."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from archspec.spec import Spec, load
from tests.mutation.judging import Court, Outcome, first_fallen
from tests.mutation.operators import mutants
from tests.mutation.shipped import OWN, SHIPPED, distinct, skip_if_same
from tests.mutation.table import OF_RULES, OF_VALUES, OPERATORS

A_FEW = 3
SPECS = [*SHIPPED, *OWN]


@cache
def spec(name: str) -> Spec:
    return load(OWN.get(name, name), reduced=True)


@cache
def outcomes(name: str, of: str) -> list[tuple[str, str, Outcome]]:
    """Operator, site and outcome of a few mutants of every operator."""
    court = Court(spec(name))
    operators = OF_RULES if of == "rules" else OF_VALUES
    return [
        (mutant.operator.name, mutant.site.place, court.outcome(mutant))
        for mutant in mutants(spec(name), operators, A_FEW)
    ]


@pytest.mark.parametrize("name", SPECS)
def test_no_rule_of_a_spec_falls_as_it_is(name: str) -> None:
    assert first_fallen(spec(name)) is None


@pytest.mark.parametrize("name", SPECS)
def test_mistakes_in_who_reads_whom_are_caught(name: str) -> None:
    skip_if_same(name)
    found = outcomes(name, "rules")
    assert [one for one in found if one[2].status == "missed"] == []
    by_rules = sum(outcome.judge == "rules" for _, _, outcome in found)
    assert by_rules > len(found) / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_mistakes_in_what_is_computed_are_caught(name: str) -> None:
    skip_if_same(name)
    found = outcomes(name, "contract")
    assert [one for one in found if one[2].status == "missed"] == []
    assert any(outcome.judge == "contract" for _, _, outcome in found)


@pytest.mark.slow
def test_every_operator_has_a_site_and_is_caught_by_its_judge() -> None:
    caught: Counter[tuple[str, str]] = Counter()
    for name in [*distinct(), *OWN]:
        for of in ("rules", "contract"):
            for operator, _, outcome in outcomes(name, of):
                caught[operator, outcome.judge] += outcome.status == "caught"
    assert [one.name for one in OPERATORS if not caught[one.name, one.judge]] == []


@pytest.mark.slow
def test_every_site_of_one_spec() -> None:
    court = Court(spec("gpt2"))
    found = [(mutant, court.outcome(mutant)) for mutant in mutants(spec("gpt2"), OPERATORS)]
    assert [mutant.site.place for mutant, outcome in found if outcome.status == "missed"] == []
    kept = {(mutant.operator.name, mutant.site.node.path) for mutant, one in found if one.status == "equivalent"}
    assert kept == {("lose a bias", "states.layers.*.attention.k")}, "a softmax does not see what all scores share"


def test_one_layer_of_a_stack_changes_alone(tmp_path: Path) -> None:
    (whole, alone) = [mutant for mutant in mutants(spec("gpt2"), OPERATORS) if mutant.operator.name == "drop the mask"]
    assert (whole.site.layer, alone.site.layer.number) == (None, 1)
    fallen = first_fallen(alone.spec)
    assert fallen is not None
    (said,) = fallen.diagnostics
    assert "`states.layers.1.attention` reads" in said.primary.text
