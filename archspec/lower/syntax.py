"""Python expressions as trees: what ops write as text is parsed, joined by substitution and printed once.

Precedence is a matter of the printer alone, so that no text is pasted into text.
"""

from __future__ import annotations

import ast
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


def substitute(tree: ast.expr, found: Mapping[str, ast.expr]) -> ast.expr:
    """The tree with expressions in the place of names; the tree given is left as it is."""
    result = _copied(tree, found)
    assert isinstance(result, ast.expr)
    return result


def _copied(node: ast.AST, found: Mapping[str, ast.expr]) -> ast.AST:
    """A copy of a tree with expressions in the place of names.

    `copy.deepcopy` keeps a memo of every object and asks each for its state, which took half the time of an emission.
    """
    if isinstance(node, ast.Name) and node.id in found:
        return _copied(found[node.id], {})
    copy = type(node)()
    for key, value in vars(node).items():
        if isinstance(value, list):
            value = [_copied(item, found) if isinstance(item, ast.AST) else item for item in value]
        elif isinstance(value, ast.AST):
            value = _copied(value, found)
        setattr(copy, key, value)
    return copy


def renamed(tree: ast.expr, rename: Callable[[str], str]) -> ast.expr:
    """The tree with its names changed."""
    return substitute(tree, {found: name(rename(found)) for found in set(names(tree))})
