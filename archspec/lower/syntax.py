"""Python expressions as trees: what ops write as text is parsed, joined by substitution and printed once.

Precedence is a matter of the printer alone, so that no text is pasted into text.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping


def parse(source: str) -> ast.expr:
    """An expression; literals remember how they were written (`1e-5`)."""
    tree = ast.parse(source, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = ast.get_source_segment(source, node)
    return tree


def name(text: str) -> ast.expr:
    """A name."""
    return ast.Name(text, ast.Load())


def names(tree: ast.AST) -> Iterator[str]:
    """Every name in the order of the text, repeated as often as it stands there."""
    if isinstance(tree, ast.Name):
        yield tree.id
    for child in ast.iter_child_nodes(tree):
        yield from names(child)


class _Substitution(ast.NodeTransformer):
    def __init__(self, found: Mapping[str, ast.expr]) -> None:
        self.found = found

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.found[node.id]) if node.id in self.found else node


def substitute(tree: ast.expr, found: Mapping[str, ast.expr]) -> ast.expr:
    """The tree with expressions in the place of names; the tree given is left as it is."""
    result = _Substitution(found).visit(copy.deepcopy(tree))
    assert isinstance(result, ast.expr)
    return result


def renamed(tree: ast.expr, rename: Callable[[str], str]) -> ast.expr:
    """The tree with its names changed."""
    return substitute(tree, {found: name(rename(found)) for found in set(names(tree))})
