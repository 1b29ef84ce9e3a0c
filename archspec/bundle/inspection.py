"""The build step that computes TensorRT's network on the CPU, and the check that engines come from that network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path

from archspec.bundle.report import BundleReport, NetworkEntry, ParityTrial
from archspec.bundle.sources import SPEC
from archspec.diagnostics import Diagnostic, Label, Span, SpecError, fail
from archspec.engines.build import BuiltArtifact, named
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.engines.scopes import Placed
from archspec.ir.graph import Graph
from archspec.model.ports import DTypeName
from archspec.record import record
from archspec.spec import Spec

# Repeated layers are one node, whose path has `*` in place of the number of the layer.
_LAYER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@record(eq=False)
class Inspection:
    """Compares the network of a program with its spec, in a separate process, before engines are compiled from it.

    `folder` is the bundle being written; `program` has paths relative to it. `task` is the worker's that compares, with
    what it is given `beside`; `part` names a program that is not the whole model.
    """

    folder: Path
    program: Program
    dtype: DTypeName
    progress: Progress | None = None
    task: str = "verify_network"
    beside: Mapping[str, object] = field(default_factory=dict)
    part: str = ""
    _found: list[StageOutcome] = field(default_factory=list)

    def inspect(self, engine: str, source: str) -> Stage:
        """Compute the network that an engine makes of a file, and keep the outcome.

        `engine` is the engine's word, `source` the exported file. Raises SpecError E605, E606, E609, E620 to E622.
        """
        program = self.program.to_json()
        job = {"program": program, "dtype": self.dtype, "engine": engine, "source": source, "spec": SPEC, **self.beside}
        outcome = run_step(
            "archspec.bundle.worker",
            self.task,
            job,
            folder=self.folder,
            stage=named(f"verify the network of {engine}", self.part),
            progress=self.progress,
        )
        self._found.append(outcome)
        return outcome.stage

    def check(self, built: Sequence[BuiltArtifact]) -> None:
        """Raise SpecError E623 for an engine that was compiled from a network other than those that were computed."""
        # An engine may come from the cache, or from a second conversion: the digest ties it to the computed network.
        verified = {outcome.result["network"]["digest"] for outcome in self._found}
        for one in built:
            if one.artifact.network is not None and one.artifact.network not in verified:
                fail("E623", f"{one.target} was compiled from a network other than the verified one", None)

    def missing(self) -> Mapping[str, Sequence[str]]:
        """The tensors of integers and scales that the file of a part lacks, by the engine that reads it."""
        return {one.result["network"]["engine"]: one.result["missing"] for one in self._found}

    def added(self, report: BundleReport) -> BundleReport:
        """Return the report with the networks, trials and skipped checks of all inspections."""
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
    """Give errors about nodes of an exported network the place in the spec that the node came from."""
    try:
        yield
    except SpecError as error:
        raise SpecError([_spanned(diagnostic, spec.graph) for diagnostic in error.diagnostics]) from None


def _spanned(diagnostic: Diagnostic, graph: Graph) -> Diagnostic:
    """Return a diagnostic with the span of its scopes, unchanged if it has no scopes or a span already."""
    if not isinstance(diagnostic, Placed) or diagnostic.primary is not None:
        return diagnostic
    span = span_of(diagnostic.scopes, graph)
    return diagnostic if span is None else replace(diagnostic, primary=Label(span))


def span_of(scopes: Sequence[str], graph: Graph) -> Span | None:
    """Return where the spec declares what an exported node computes, None if unknown.

    `scopes` are module paths, outermost first (`states.layers.0.attention`), and then the name of the traced operation.
    The span is that of the operation, or of the innermost module that has one.
    """
    *modules, traced = [_LAYER.sub("*", scope) for scope in scopes]
    nodes = [node for node in graph.walk() if node.span is not None]
    # The innermost module is the most specific place.
    for module in reversed(modules):
        inside = (node for node in nodes if node.scope == module and not node.name and node.op.name in traced)
        own = (node for node in nodes if node.path == module and module)
        for node in (*inside, *own):
            return node.span
    return None
