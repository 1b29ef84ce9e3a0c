"""A spec whose weights are stored as integers, whose products read rounded values, and that keeps such."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from archspec.diagnostics import fail
from archspec.ops.elementwise.rounded import Grid
from archspec.passes.incremental.incremental import kept_values
from archspec.passes.quantise import quantise
from archspec.passes.round_kept import round_kept
from archspec.passes.round_operands import round_operands
from archspec.quantising.plan import Plan
from archspec.spec import Spec
from archspec.spec.rewritten import rewritten


def quantised(
    spec: Spec, plan: Plan, grids: Mapping[str, Grid] = MappingProxyType({}), *, rounds_kept: bool = False
) -> Spec:
    """The spec with its parameters stored by a plan, and with what products read rounded to grids.

    With `rounds_kept` what its cached step keeps is rounded to int8, too.
    Its rules are about the same values, or about those that take their place, and can be judged again.
    """
    graph, rewriter = quantise(spec.graph, plan)
    found = rewritten(spec, graph, rewriter.moved)
    if grids:
        graph, rewriter = round_operands(found.graph, grids)
        found = rewritten(found, graph, rewriter.moved)
    if not rounds_kept:
        return found
    assert found.decode is not None
    graph, rewriter = round_kept(found.graph, found.decode.input, found.decode.output)
    return rewritten(found, graph, rewriter.moved)


def check_kept(spec: Spec) -> None:
    """Check that a cached step keeps what could be rounded. Raises SpecError E748 without a step, E632 for nothing."""
    if spec.decode is None:
        fail("E632", "`--kv-cache` is given, but the spec does not decode", None)
    if not kept_values(spec.graph, spec.decode.input, [spec.decode.output]):
        notes = ["latents that heads absorb are computed by the step alone"]
        fail("E632", "`--kv-cache` is given, but the step keeps nothing that the full forward has", None, notes=notes)
