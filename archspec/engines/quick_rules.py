"""A patch that shortens exports to ONNX and changes nothing in their results, active while a file is made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Any
from unittest.mock import patch


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
