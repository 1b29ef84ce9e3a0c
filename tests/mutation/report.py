"""Mutants of shipped specs, judged one after the other: operator by site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
from tests.mutation.cached_source import SourceCourt
from tests.mutation.judging import Court, Outcome, Status
from tests.mutation.operators import mutants
from tests.mutation.stepping import StepCourt
from tests.mutation.table import OPERATORS

Level = Literal["graph", "source", "cache"]


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


def cache_rows(name: str) -> Iterator[Row]:
    """Every mistake of caches at every site of a spec that decodes: in its step graph, then in its source."""
    court = StepCourt(name)
    for mistake in court.mistakes():
        place, line = mistake.place, _line(mistake.node.span)
        yield _of_cache(name, mistake.operator, place, line, court.outcome(mistake))
    source = SourceCourt(court.spec)
    for changed in source.mistakes():
        yield _of_cache(name, changed.operator, "source", f"source:{changed.line}", source.outcome(changed.source))
    # As they are, neither must be caught.
    for site, found in {"step graph": court.outcome(None), "source": source.outcome(source.source)}.items():
        status: Status = "missed" if found.status == "caught" else "equivalent"
        yield _of_cache(name, "none", site, "", replace(found, status=status))


def _of_cache(name: str, operator: str, site: str, line: str, outcome: Outcome) -> Row:
    return Row(level="cache", spec=name, operator=operator, site=site, line=line, outcome=outcome)


def _line(span: Span | None) -> str:
    return "" if span is None else f"{Path(span.source.name).name}:{span.line}"
