"""Mutants of shipped specs, judged one after the other: operator by site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from archspec.checking import accepted
from archspec.diagnostics import Span
from archspec.lower import emit
from archspec.model.exposing import with_inner
from archspec.record import record
from archspec.spec import load
from archspec.spec.claims import load_claims
from tests.contract import mutations as of_source
from tests.contract.judging import judged
from tests.mutation.judging import Court, Outcome
from tests.mutation.operators import mutants
from tests.mutation.table import OPERATORS

Level = Literal["graph", "source"]


@record
class Row:
    """One mutant: what was changed, where, and what became of it. `line` names a line of a spec, or of the source."""

    level: Level
    spec: str
    operator: str
    site: str
    line: str
    outcome: Outcome


def graph_rows(name: str, most: int | None = None) -> Iterator[Row]:
    """Every operator on the graph at every site of a spec, or with `most` at so many."""
    spec = load(name, reduced=True)
    court = Court(spec)
    for mutant in mutants(spec, OPERATORS, most):
        site = mutant.site
        yield Row(
            level="graph",
            spec=name,
            operator=mutant.operator.name,
            site=site.place,
            line=_line(site.node.span),
            outcome=court.outcome(mutant),
        )


def source_rows(name: str) -> Iterator[Row]:
    """Every operator on the emitted source at every site of a spec."""
    spec = load_claims(name, reduced=True).spec
    assert spec is not None
    claims = with_inner(spec)
    assert claims.spec is not None
    for mutant in of_source.mutants(emit(accepted(claims.spec))):
        owner, _, line = mutant.site.partition(":")
        yield Row(
            level="source",
            spec=name,
            operator=mutant.operator,
            site=owner,
            line=f"source:{line}",
            outcome=judged(claims, mutant),
        )


def _line(span: Span | None) -> str:
    return "" if span is None else f"{Path(span.source.name).name}:{span.line}"
