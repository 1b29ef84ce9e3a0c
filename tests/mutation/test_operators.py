"""Every mistake in the graph of a shipped spec is caught by the judge that should catch it, or changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archspec.algebra.dim import Dim
from tests.mutation.exact import broken
from tests.mutation.judging import Court, Outcome, first_fallen
from tests.mutation.operators import Operator, mutants, spread
from tests.mutation.shipped import (
    OWN,
    REPRESENTATIVES,
    SHIPPED,
    TWINS,
    decoders,
    distinct,
    ranked,
    reduced,
    same_as,
    skip_if_same,
    ways,
)
from tests.mutation.table import OF_RULES, OF_VALUES, OPERATORS

A_FEW = 2
SPECS = [*SHIPPED, *OWN]


def outcomes(name: str, operators: Sequence[Operator]) -> list[tuple[str, str, Outcome]]:
    """Operator, site and outcome of a few mutants of every operator."""
    court = Court(reduced(name))
    return [
        (mutant.operator.name, mutant.site.place, court.outcome(mutant))
        for mutant in mutants(reduced(name), operators, A_FEW)
    ]


def test_twins_are_those_of_the_same_graph() -> None:
    assert set(same_as()) == TWINS


def test_decoders_are_those_that_decode() -> None:
    assert decoders() == [name for name in distinct() if reduced(name).decode is not None]


def test_representatives_use_all_that_shipped_specs_use() -> None:
    known = set().union(*map(ways, REPRESENTATIVES))
    assert {name: found for name in SHIPPED if (found := ways(name) - known)} == {}


def test_no_representative_is_the_twin_of_another() -> None:
    twins = same_as()
    assert [name for name in REPRESENTATIVES if twins.get(name) in REPRESENTATIVES] == []


@pytest.mark.parametrize("name", SPECS)
def test_no_rule_of_a_spec_falls_as_it_is(name: str) -> None:
    assert first_fallen(reduced(name)) is None


@pytest.mark.parametrize(("most", "status"), [(19, True), (18, False)])
def test_a_field_of_one_position_more_is_broken(most: int, status: bool) -> None:
    found = reduced("mobilenet-v2")
    rules = (replace(rule, at_most=Dim.of(most)) for rule in found.rules if rule.kind == "receptive_field")
    assert (broken(replace(found, rules=tuple(rules))) is None) is status


@pytest.mark.parametrize("name", ["gpt2", *OWN, *ranked(name for name in SHIPPED if name != "gpt2")])
def test_mistakes_in_who_reads_whom_are_caught(name: str) -> None:
    skip_if_same(name)
    found = outcomes(name, OF_RULES)
    assert [one for one in found if one[2].status == "missed"] == []
    by_rules = sum(outcome.judge == "rules" for _, _, outcome in found)
    assert by_rules > len(found) / 2


@pytest.mark.parametrize("name", ranked(SPECS))
def test_mistakes_in_what_is_computed_are_caught(name: str) -> None:
    skip_if_same(name)
    found = outcomes(name, OF_VALUES)
    assert [one for one in found if one[2].status == "missed"] == []
    assert any(outcome.judge == "contract" for _, _, outcome in found)


@pytest.mark.parametrize(("most", "kept"), [(1, [0]), (2, [0, 9]), (3, [0, 4, 9]), (20, [*range(10)])])
def test_sites_are_spread_from_the_first_to_the_last(most: int, kept: list[int]) -> None:
    assert spread(range(10), most) == kept


def test_every_operator_has_a_site_and_is_caught_by_its_judge() -> None:
    left = list(OPERATORS)
    for name in SPECS:
        left = [operator for operator in left if not is_caught(name, operator)]
    assert [operator.name for operator in left] == []


def is_caught(name: str, operator: Operator) -> bool:
    """Whether the judge of an operator catches it at some place of a spec."""
    court = Court(reduced(name))
    found = (court.outcome(mutant) for mutant in mutants(reduced(name), [operator], 3))
    return any(outcome.status == "caught" and outcome.judge == operator.judge for outcome in found)


@pytest.mark.slow
def test_every_site_of_one_spec() -> None:
    court = Court(reduced("gpt2"))
    found = [(mutant, court.outcome(mutant)) for mutant in mutants(reduced("gpt2"), OPERATORS)]
    assert [mutant.site.place for mutant, outcome in found if outcome.status == "missed"] == []
    kept = {(mutant.operator.name, mutant.site.node.path) for mutant, one in found if one.status == "equivalent"}
    keys = "states.layers.*.attention.k"
    shared = {("lose a bias", keys), ("mix positions", keys)}
    assert kept == shared, "a softmax does not see what all scores share"


def test_one_layer_of_a_stack_changes_alone(tmp_path: Path) -> None:
    (whole, alone) = [
        mutant for mutant in mutants(reduced("gpt2"), OPERATORS) if mutant.operator.name == "drop the mask"
    ]
    assert (whole.site.layer, alone.site.layer.number) == (None, 1)
    fallen = first_fallen(alone.spec)
    assert fallen is not None
    (said,) = fallen.diagnostics
    assert "`states.layers.1.attention` reads" in said.primary.text
