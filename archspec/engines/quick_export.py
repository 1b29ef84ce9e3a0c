"""Patches that shorten exports to ONNX and change nothing in their results, active while a file is made.

They stand in private functions of the exporter, and only in the versions for which tests hold that files are the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from copy import copy
from functools import cache
from importlib.metadata import version
from typing import Any
from unittest.mock import patch


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Have the patches that are for the installed versions; exports of others take longer."""
    with contextlib.ExitStack() as active:
        for package, known, one in (("onnxscript", "0.7.", rules_by_operator), ("torch", "2.13.", values_known)):
            if version(package).startswith(known):
                active.enter_context(one())
        yield


@contextlib.contextmanager
def values_known() -> Iterator[None]:
    """Take the values of nodes from the trace where casts are inserted before operators that torch promotes.

    torch 2.13 computes every node again for this, as fake tensors. A cast leaves the shape and the dtype of what comes
    after it as they are.
    """
    from torch.onnx._internal.fx.passes.type_promotion import _TypePromotionInterpreter as Promotion
    from torch.onnx._internal.fx.passes.type_promotion import get_type_promotion_rule

    compute = Promotion.run_node

    def run_node(self: Any, node: Any) -> Any:
        if node.op != "call_function" or "val" not in node.meta:
            return compute(self, node)
        rule = get_type_promotion_rule(node, self.type_promotion_table)
        if rule is not None:
            with self._set_current_node(node):
                self._maybe_promote_node(node, rule)
        return node.meta["val"]

    with patch.object(Promotion, "run_node", run_node):
        yield


@contextlib.contextmanager
def rules_by_operator() -> Iterator[None]:
    """Try a rewriting rule only on nodes of the operator in which its pattern ends.

    onnxscript 0.7 matches the pattern of every rule with every node, which takes a sixth of an export's time.
    """
    from onnxscript import rewriter

    with patch.object(rewriter, "_DEFAULT_REWRITE_RULES", _rules()):
        yield


@cache
def _rules() -> tuple[Any, ...]:
    """The rules of onnxscript's optimizer, in its order."""
    from onnxscript import rewriter

    return tuple(map(_quick, rewriter._DEFAULT_REWRITE_RULES))


def _quick(rule: Any) -> Any:
    """The rule, tried on nodes of one operator; as it is where its pattern may end in any."""
    # A pattern with several ends begins with the first of them.
    wanted = rule._target_pattern.output_nodes[0].op_identifier()
    if wanted is None:
        return rule
    made = copy(rule)

    def try_rewrite(model: Any, graph: Any, node: Any, **more: Any) -> Any:
        return rule.try_rewrite(model, graph, node, **more) if (node.domain, node.op_type) == wanted[:2] else None

    made.try_rewrite = try_rewrite
    return made
