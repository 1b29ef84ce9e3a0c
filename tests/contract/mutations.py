"""Mistakes in emitted source: each operator changes one place, at every place where it applies."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Change = Callable[[ast.AST], ast.AST | None]
"""The changed node, or None where the operator does not apply."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed source: what was done to it, and where."""

    operator: str
    site: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every operator at every site."""
    tree = ast.parse(source)
    single = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and "(1, " in splits(node)}
    for operator, change in OPERATORS.items():
        for owner, place in sites(source, change):
            if operator in ("permute heads", "swap axes") and owner.partition(":")[0] in single:
                # One head has no order, and none that features could be mixed with.
                continue
            changed = Mutator(change, place).visit(ast.parse(source))
            yield Mutant(operator=operator, site=owner, source=ast.unparse(ast.fix_missing_locations(changed)) + "\n")


def splits(node: ast.ClassDef) -> str:
    """The sizes that a class splits features into."""
    calls = (found for found in ast.walk(node) if isinstance(found, ast.Call) and len(found.args) == 2)
    return " ".join(ast.unparse(call.args[1]) for call in calls if ast.unparse(call.func).endswith(".unflatten"))


def sites(source: str, change: Change) -> list[tuple[str, int]]:
    """The class and the place of every node to which an operator applies."""
    counter = Mutator(change)
    counter.visit(ast.parse(source))
    return counter.found


class Mutator(ast.NodeTransformer):
    """Changes the node at one place, which counts the nodes of `forward` alone; finds all places if left out."""

    def __init__(self, change: Change, place: int | None = None) -> None:
        self.change = change
        self.place = place
        self.found: list[tuple[str, int]] = []
        self._class = ""
        self._passed = 0
        self._in_forward = False

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._class = node.name
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._in_forward = node.name == "forward"
        found = self.generic_visit(node)
        self._in_forward = False
        return found

    def visit(self, node: ast.AST) -> ast.AST:
        found = super().visit(node)
        if not self._in_forward:
            return found
        self._passed += 1
        if self.place is not None:
            return (self.change(found) or found) if self._passed == self.place else found
        # A change may be made in the node itself.
        if self.change(copy.deepcopy(found)) is not None:
            self.found.append((f"{self._class}:{getattr(node, 'lineno', 0)}", self._passed))
        return found


def is_attention(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("scaled_dot_product_attention")


def without(node: ast.AST, keyword: str) -> ast.AST | None:
    if not is_attention(node) or keyword not in [given.arg for given in node.keywords]:
        return None
    node.keywords = [given for given in node.keywords if given.arg != keyword]
    return node


def expression(template: str, **parts: ast.expr) -> ast.expr:
    """An expression with other expressions in the places of names."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return parts.get(node.id, node)

    return Fill().visit(ast.parse(template, mode="eval").body)


def drop_causal(node: ast.AST) -> ast.AST | None:
    return without(node, "is_causal")


def drop_mask(node: ast.AST) -> ast.AST | None:
    return without(node, "attn_mask")


def invert_mask(node: ast.AST) -> ast.AST | None:
    if not is_attention(node):
        return None
    for given in node.keywords:
        if given.arg == "attn_mask" and isinstance(given.value, ast.Name):
            given.value = expression("~mask", mask=given.value)
            return node
    return None


def drop_fill(node: ast.AST) -> ast.AST | None:
    """A bias that is not masked."""
    applies = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "masked_fill"
    return node.func.value if applies else None


def drop_keep(node: ast.AST) -> ast.AST | None:
    applies = isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.where"
    return node.args[1] if applies and ast.unparse(node.args[0]).startswith("keep") else None


def shift_comparison(node: ast.AST) -> ast.AST | None:
    """A window or a diagonal wider or narrower by one."""
    other = {ast.LtE: ast.Lt, ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
    if not isinstance(node, ast.Compare) or type(node.ops[0]) not in other:
        return None
    node.ops = [other[type(node.ops[0])]()]
    return node


def flip_comparison(node: ast.AST) -> ast.AST | None:
    other = {ast.LtE: ast.GtE, ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.NotEq}
    if not isinstance(node, ast.Compare) or type(node.ops[0]) not in other:
        return None
    node.ops = [other[type(node.ops[0])]()]
    return node


def and_to_or(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitAnd):
        return None
    node.op = ast.BitOr()
    return node


def flip_predicate(node: ast.AST) -> ast.AST | None:
    """`valid[:, None, None, :]` to its opposite."""
    applies = isinstance(node, ast.Subscript) and "None, None, :" in ast.unparse(node.slice)
    return expression("~valid", valid=node) if applies and isinstance(node.value, ast.Name) else None


def mix_batch(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Return) or node.value is None or ast.unparse(node.value).startswith("Outputs("):
        return None
    return ast.Return(value=expression("x + 0.1 * x.roll(1, 0)", x=node.value))


def offset_positions(node: ast.AST) -> ast.AST | None:
    """A table of positions read one row late."""
    text = ast.unparse(node)
    is_slice = isinstance(node, ast.Subscript) and text.startswith("self.positions[")
    is_table = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("_positions")
    return expression("x.roll(1, 0)", x=node) if is_slice or is_table else None


def permute_heads(node: ast.AST) -> ast.AST | None:
    applies = isinstance(node, ast.Call) and ast.unparse(node).endswith("transpose(1, 2).flatten(2)")
    return expression("x.transpose(1, 2).flip(2).flatten(2)", x=node.func.value.func.value) if applies else None


def swap_axes(node: ast.AST) -> ast.AST | None:
    """Heads and their features in the wrong order, with the right size."""
    applies = isinstance(node, ast.Call) and ast.unparse(node).endswith("transpose(1, 2).flatten(2)")
    return expression("x.permute(0, 2, 3, 1).flatten(2)", x=node.func.value.func.value) if applies else None


def lose_residual(node: ast.AST) -> ast.AST | None:
    applies = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.left, ast.Name)
    return node.right if applies and node.left.id == "x" else None


def shift_keys(node: ast.AST) -> ast.AST | None:
    """Keys and values one position early; without a mask their order means nothing."""
    masked = is_attention(node) and {"attn_mask", "is_causal"} & {given.arg for given in node.keywords}
    if not masked or len(node.args) < 3:
        return None
    node.args[1:3] = [expression("x.roll(-1, 2)", x=part) for part in node.args[1:3]]
    return node


OPERATORS: dict[str, Change] = {
    "drop is_causal": drop_causal,
    "drop the mask": drop_mask,
    "invert the mask": invert_mask,
    "drop the fill of a bias": drop_fill,
    "drop the keep guard": drop_keep,
    "shift a comparison by one": shift_comparison,
    "flip a comparison": flip_comparison,
    "and to or": and_to_or,
    "flip a predicate": flip_predicate,
    "mix the batch": mix_batch,
    "offset positions": offset_positions,
    "permute heads": permute_heads,
    "swap axes": swap_axes,
    "lose a residual": lose_residual,
    "shift keys by one": shift_keys,
}
