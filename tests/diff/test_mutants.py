"""Every mistake that the mutation tests put into a graph is a change of meaning, and is told where it was made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archspec.analyses.cost import cost
from archspec.checking import Report
from archspec.diff import compare_meaning
from archspec.spec import Spec, load
from tests.mutation.judging import Court
from tests.mutation.operators import Mutant, mutants
from tests.mutation.shipped import OWN, SHIPPED, ranked, skip_if_same
from tests.mutation.table import OPERATORS

A_FEW = 2
HERE = ("gpt2", "resnet-50")
TELLING = {"mask", "sizes", "computation", "weights"}


def unjudged(spec: Spec) -> Report:
    """A spec as if it had no rules, which would tell most of these mistakes, and did not decode."""
    bare = replace(spec, rules=(), decode=None)
    return Report(spec=bare, cost=cost(spec.graph), verdicts=(), diagnostics=())


def silent(spec: Spec, mutant: Mutant) -> str | None:
    """What is wrong with what is said of a mutant: nothing, or that something changed and not where."""
    found = compare_meaning(unjudged(spec), unjudged(mutant.spec))
    told = [one for one in found.changes if one.kind in TELLING]
    place = f"{mutant.operator.name} at {mutant.site.place}"
    if any("computed another way" in one.text for one in told):
        return f"{place}: no step is named"
    if told:
        return None
    # It is said to compute the same, which must then be so.
    return None if Court(spec).compared(mutant.spec).status == "equivalent" else f"{place}: nothing is said"


def faults(name: str, most: int | None) -> list[str]:
    spec = load(OWN.get(name, name), reduced=True)
    return [said for mutant in mutants(spec, OPERATORS, most) if (said := silent(spec, mutant)) is not None]


@pytest.mark.parametrize("name", HERE)
def test_mistakes_are_changes(name: str) -> None:
    assert faults(name, 1) == []


@pytest.mark.parametrize("name", ranked(name for name in [*SHIPPED, *OWN] if name not in HERE))
@pytest.mark.slow
def test_mistakes_in_other_specs_are_changes(name: str) -> None:
    skip_if_same(name)
    assert faults(name, 1) == []


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHIPPED, *OWN])
def test_mistakes_at_more_sites_are_changes(name: str) -> None:
    skip_if_same(name)
    assert faults(name, A_FEW) == []


def test_a_layer_that_differs_alone_is_named() -> None:
    spec = load("gpt2", reduced=True)
    (_, alone) = [one for one in mutants(spec, OPERATORS) if one.operator.name == "drop the mask"]
    (found,) = [one for one in compare_meaning(unjudged(spec), unjudged(alone.spec)).changes if one.kind in TELLING]
    assert (found.text, found.effect) == ("mask of `states.layers.1.attention`: causal -> all, wider", "wider")
