"""Python expressions as trees: the text that ops write is parsed, combined by substitution and printed once.

No text is inserted into text, so that only the printer has to know about precedence.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping


def parse(source: str) -> ast.expr:
    """Parse an expression; each literal keeps its source text in `kind`, so that `1e-5` is printed unchanged."""
    tree = ast.parse(source, mode="eval").body
    # Offsets count bytes of UTF-8, and a segment is only looked for where they are not those of the text.
    is_flat = source.isascii() and "\n" not in source
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            flat = source[node.col_offset : node.end_col_offset] if is_flat else None
            node.kind = flat or ast.get_source_segment(source, node)
    return tree


def name(text: str) -> ast.expr:
    """An expression that reads a name."""
    return ast.Name(text, ast.Load())


def names(tree: ast.AST) -> list[str]:
    """Every name in a tree, in the order of its fields, with repetitions."""
    found: list[str] = []
    _collect(tree, found)
    return found


def _collect(node: ast.AST, found: list[str]) -> None:
    """Append the names in a tree: one list for all, since nested generators took a third of an emission."""
    if isinstance(node, ast.Name):
        found.append(node.id)
        return
    for key in node._fields:
        value = getattr(node, key, None)
        if isinstance(value, ast.AST):
            _collect(value, found)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    _collect(item, found)


def substitute(tree: ast.expr, found: Mapping[str, ast.expr]) -> ast.expr:
    """A copy of a tree in which names are replaced by expressions. These are not substituted in again."""
    result = _copied(tree, found)
    assert isinstance(result, ast.expr)
    return result


def _copied(node: ast.AST, found: Mapping[str, ast.expr]) -> ast.AST:
    """A copy of a tree in which names are replaced by expressions.

    `copy.deepcopy` keeps a memo of all objects and asks each for its state, which took half the time of an emission.
    """
    if isinstance(node, ast.Name) and node.id in found:
        # Copied too, since the same expression may stand at several places.
        return _copied(found[node.id], {})
    copy = type(node)()
    # Not by `setattr`: an emission copies a hundred thousand nodes.
    state = vars(copy)
    for key, value in vars(node).items():
        if isinstance(value, list):
            value = [_copied(item, found) if isinstance(item, ast.AST) else item for item in value]
        elif isinstance(value, ast.AST) and vars(value):
            value = _copied(value, found)
        state[key] = value
    return copy


def renamed(tree: ast.expr, rename: Callable[[str], str]) -> ast.expr:
    """A copy of a tree with each name changed by a function."""
    return substitute(tree, {found: name(rename(found)) for found in set(names(tree))})
