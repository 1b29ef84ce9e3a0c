"""The step of a build that computes TensorRT's network, and the tie between that network and the engines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path

from archspec.bundle.report import BundleReport, NetworkEntry, ParityTrial
from archspec.bundle.sources import SPEC
from archspec.diagnostics import Diagnostic, Label, Span, SpecError, fail
from archspec.engines.build import BuiltArtifact
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.engines.scopes import Placed
from archspec.ir.graph import Graph
from archspec.model.ports import DTypeName
from archspec.record import record
from archspec.spec import Spec

_LAYER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@record(eq=False)
class Inspection:
    """Holds the network of a program against its spec, in a process of its own, before engines are compiled from it."""

    folder: Path
    program: Program
    dtype: DTypeName
    spec: Spec
    progress: Progress | None = None
    _found: list[StageOutcome] = field(default_factory=list)

    def inspect(self, engine: str, source: str) -> Stage:
        """Compute the network that an engine makes of a file. Raises SpecError E605, E606, E609, E620 to E622."""
        program = self.program.to_json()
        job = {"program": program, "dtype": self.dtype, "engine": engine, "source": source, "spec": SPEC}
        outcome = run_step(
            "archspec.bundle.worker",
            "verify_network",
            job,
            folder=self.folder,
            stage=f"verify the network of {engine}",
            progress=self.progress,
        )
        self._found.append(outcome)
        return outcome.stage

    def check(self, built: Sequence[BuiltArtifact]) -> None:
        """Refuse an engine that was compiled from another network than was computed. Raises SpecError E623."""
        verified = {outcome.result["network"]["digest"] for outcome in self._found}
        for one in built:
            if one.artifact.network is not None and one.artifact.network not in verified:
                fail("E623", f"{one.target} was compiled from a network other than the verified one", None)

    def added(self, report: BundleReport) -> BundleReport:
        """The report with what was found of the network."""
        for outcome in self._found:
            trials = [ParityTrial.model_validate(trial) for trial in outcome.result["trials"]]
            changed = {
                "networks": [*report.networks, NetworkEntry.model_validate(outcome.result["network"])],
                "trials": [*report.trials, *trials],
                "skipped": [*report.skipped, *outcome.result["skipped"]],
            }
            report = report.model_copy(update=changed)
        return report


@contextmanager
def spanned(spec: Spec) -> Iterator[None]:
    """Give errors about nodes of the exported network the line of the spec that the node came from."""
    try:
        yield
    except SpecError as error:
        raise SpecError([_spanned(diagnostic, spec.graph) for diagnostic in error.diagnostics]) from None


def _spanned(diagnostic: Diagnostic, graph: Graph) -> Diagnostic:
    if not isinstance(diagnostic, Placed) or diagnostic.primary is not None:
        return diagnostic
    span = span_of(diagnostic.scopes, graph)
    return diagnostic if span is None else replace(diagnostic, primary=Label(span))


def span_of(scopes: Sequence[str], graph: Graph) -> Span | None:
    """Where the spec says what an exported node computes: the operation, or the innermost module that has a line.

    `scopes` are paths of modules, outermost first (`states.layers.0.attention`), and the traced operation's name.
    """
    *modules, traced = [_LAYER.sub("*", scope) for scope in scopes]
    nodes = [node for node in graph.walk() if node.span is not None]
    for module in reversed(modules):
        inside = (node for node in nodes if node.scope == module and not node.name and node.op.name in traced)
        own = (node for node in nodes if node.path == module and module)
        for node in (*inside, *own):
            return node.span
    return None
