"""A spec whose weights are stored as integers, and whose products read rounded values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from archspec.ops.elementwise.rounded import Grid
from archspec.passes.quantise import quantise
from archspec.passes.round_operands import round_operands
from archspec.quantising.plan import Plan
from archspec.spec import Spec
from archspec.spec.rewritten import rewritten


def quantised(spec: Spec, plan: Plan, grids: Mapping[str, Grid] = MappingProxyType({})) -> Spec:
    """The spec with its parameters stored by a plan, and with what products read rounded to grids.

    Its rules are about the same values, or about those that take their place, and can be judged again.
    """
    graph, rewriter = quantise(spec.graph, plan)
    found = rewritten(spec, graph, rewriter.moved)
    if not grids:
        return found
    graph, rewriter = round_operands(found.graph, grids)
    return rewritten(found, graph, rewriter.moved)
