"""Find the values that the fields of a block name, without knowing the block."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any

from archspec.schema.model import Model
from archspec.text.expr import Expr, names
from archspec.text.mask import MaskAnd, MaskCall, MaskName, MaskOr, MaskSyntax
from archspec.text.path import Path
from archspec.text.pred import PredCompare, PredExpr, PredNot, PredPath
from archspec.text.reserved import LAYER
from archspec.text.value import ValueExpr
from archspec.text.value import paths as value_paths

Syntax = ValueExpr | PredExpr | MaskSyntax
_PLAIN = (NoneType, str, int, float)


def syntaxes(thing: Any) -> Iterator[Syntax]:
    """Every value, predicate, mask and path in a model, a list or a dict, at any depth, in the order of the fields."""
    if isinstance(thing, Model):
        # Most fields of a block are left out, and most others are words or numbers.
        for name in type(thing).model_fields:
            if not isinstance(field := getattr(thing, name), _PLAIN):
                yield from syntaxes(field)
    elif isinstance(thing, (list, tuple)):
        for item in thing:
            yield from syntaxes(item)
    elif isinstance(thing, dict):
        for item in thing.values():
            yield from syntaxes(item)
    elif isinstance(thing, Syntax):
        yield thing


def paths(syntax: Syntax) -> Iterator[Path]:
    """The paths that a value, a predicate or a mask reads.

    Names in an expression that is the argument of a mask are included: each may be a value or a number.
    """
    if isinstance(syntax, ValueExpr):
        yield from value_paths(syntax)
    elif isinstance(syntax, PredExpr):
        yield from _predicate_paths(syntax)
    else:
        yield from _mask_paths(syntax)


def predicates(syntax: Syntax) -> Iterator[PredExpr]:
    """The predicates in a syntax tree: the tree itself, or the arguments of the atoms of a mask."""
    if isinstance(syntax, PredExpr):
        yield syntax
    elif isinstance(syntax, MaskCall) and isinstance(syntax.argument, PredExpr):
        yield syntax.argument
    elif isinstance(syntax, (MaskAnd, MaskOr)):
        yield from predicates(syntax.left)
        yield from predicates(syntax.right)


def _predicate_paths(pred: PredExpr) -> Iterator[Path]:
    if isinstance(pred, (PredPath, PredCompare)):
        yield pred.path
    elif isinstance(pred, PredNot):
        yield from _predicate_paths(pred.operand)
    else:
        yield from _predicate_paths(pred.left)
        yield from _predicate_paths(pred.right)


def _mask_paths(mask: MaskSyntax) -> Iterator[Path]:
    match mask:
        case MaskAnd() | MaskOr():
            yield from _mask_paths(mask.left)
            yield from _mask_paths(mask.right)
        case MaskName():
            pass
        case MaskCall():
            yield from _argument_paths(mask.argument)


def _argument_paths(argument: Expr | PredExpr | Path | None) -> Iterator[Path]:
    if isinstance(argument, Path):
        yield argument
    elif isinstance(argument, PredExpr):
        yield from _predicate_paths(argument)
    elif argument is not None:
        # The index of a layer is no value; where a size uses it, the size is refused.
        yield from (Path(parts=(name,), span=argument.span) for name in names(argument) if name != LAYER)
