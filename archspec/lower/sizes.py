"""Resolves the sizes that a body uses, from the shapes of tensors that are available."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from archspec.algebra.dim import Dim, Symbol
from archspec.lower.code import ClassCode, Default, Need
from archspec.lower.inline import InlinePlan, with_expressions
from archspec.lower.syntax import names, parse, substitute

LAYER = "layer"
"""The symbol of the layer number, which cannot be derived from a shape."""


def resolve(code: ClassCode, plan: InlinePlan, arguments: Sequence[str]) -> InlinePlan:
    """Replace size tokens by expressions such as `x.shape[1]`.

    Args:
        code: the body; a dim that no available tensor determines is added to its needs.
        plan: statements and results after inlining.
        arguments: tokens that are available before the first statement.
    """
    return _Resolver(code, plan, arguments).run()


class _Resolver:
    """Prefers tensors that the statement reads, then tensors that later statements read, then any available one.

    A tensor that is read here or later need not be kept alive for its shape.
    """

    def __init__(self, code: ClassCode, plan: InlinePlan, arguments: Sequence[str]) -> None:
        self.code = code
        self.plan = plan
        self.arguments = arguments
        reads = [list(statement.reads()) for statement in plan.statements]
        reads.append([found for result in plan.results for found in names(result)])
        self.reads = reads

    def run(self) -> InlinePlan:
        statements = [
            with_expressions(one, partial(self.filled, number)) for number, one in enumerate(self.plan.statements)
        ]
        end = len(statements)
        results = [self.filled(end, result) for result in self.plan.results]
        return replace(self.plan, statements=statements, results=results)

    def filled(self, number: int, tree: ast.expr) -> ast.expr:
        wanted = [found for found in names(tree) if found in self.code.sizes]
        if not wanted:
            return tree
        return substitute(tree, {token: parse(self.size(number, token)) for token in wanted})

    def size(self, number: int, token: str) -> str:
        """Source of the size that a token stands for in one statement."""
        dim = self.code.sizes[token]
        if token not in self.code.shared:
            return self.source(number, dim)
        # Another axis of the same size means something else, and a shard of the module would have another size there.
        wanted = (self.code.shared[token], dim)
        found = (f"{name}.shape[{axis}]" for name, axis, size in self.shapes(number) if (axis, size) == wanted)
        return next(found, str(dim))

    def source(self, number: int, dim: Dim) -> str:
        """Source of a size in one statement."""
        if dim in self.code.known:
            return self.code.known[dim]
        for variable, axis, found in self.shapes(number):
            if found == dim:
                return f"{variable}.shape[{axis}]"
        symbols = {symbol.name: symbol for symbol in dim.symbols()}
        return dim.spelled(lambda symbol: self.symbol(number, symbols[symbol]))

    def symbol(self, number: int, symbol: Symbol) -> str:
        """Source of a dim: an axis of its size, or one of size `factor * dim + constant` solved for it, or a need."""
        wanted = Dim.of(symbol)
        if symbol.name != LAYER:
            for variable, axis, found in self.shapes(number):
                if found == wanted:
                    return f"{variable}.shape[{axis}]"
            for variable, axis, found in self.shapes(number):
                solved = _solved(found, symbol, f"{variable}.shape[{axis}]")
                if solved:
                    return solved
        return self.code.need(Need(what=symbol))

    def shapes(self, number: int) -> Iterator[tuple[str, int, Dim]]:
        for token in self.candidates(number):
            type_ = self.code.variables[token].type
            for axis, size in enumerate(type_.shape if type_ else ()):
                yield token, axis, size

    def candidates(self, number: int) -> Iterable[str]:
        before = self.plan.statements[:number]
        known = [*self.arguments, *(target for statement in before for target in statement.targets)]
        # An omitted argument is None, and has no shape, until its default is filled in.
        if number < len(self.plan.statements) and isinstance(self.plan.statements[number], Default):
            known = [token for token in known if token not in self.code.optional]
        later = {token for reads in self.reads[number + 1 :] for token in reads}
        here = [token for token in self.reads[number] if token in known]
        after = [token for token in reversed(known) if token in later]
        return dict.fromkeys([*here, *after, *known])


def _solved(axis: Dim, symbol: Symbol, source: str) -> str | None:
    """Source of a symbol, from an axis of size `factor * symbol + constant`; None if the axis is not of this form."""
    constant = axis.terms.get((), 0)
    linear = axis - constant
    factor = linear.terms.get((symbol,), 0)
    if not factor or len(linear.terms) != 1:
        return None
    text = f"({source} - {constant})" if constant > 0 else f"({source} + {-constant})" if constant else source
    # In polynomials a dim with a multiple counts multiples, so that with this factor the axis is the dim.
    if factor == symbol.multiple:
        return text
    return f"({text} // {factor} * {symbol.multiple})" if symbol.multiple > 1 else f"({text} // {factor})"
