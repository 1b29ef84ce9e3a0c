"""A spec whose weights are stored as integers."""

from __future__ import annotations

from archspec.passes.quantise import quantise
from archspec.quantising.plan import Plan
from archspec.spec import Spec
from archspec.spec.rewritten import rewritten


def quantised(spec: Spec, plan: Plan) -> Spec:
    """The spec with its parameters stored by a plan; its rules are about the same values, and can be judged again."""
    graph, rewriter = quantise(spec.graph, plan)
    return rewritten(spec, graph, rewriter.moved)
