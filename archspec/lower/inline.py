"""Inlining: which values become variables, and which are written where they are used."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from archspec.lower.code import Assignment, ClassCode, Default, Do, Loop, Require, Statement
from archspec.lower.syntax import name, names, substitute
from archspec.record import record


@record
class InlinePlan:
    """Statements and results after inlining.

    `inlined` lists, for each statement, all tokens that were inlined in it; its last entry is that of the results.
    """

    statements: Sequence[Statement]
    results: Sequence[ast.expr]
    inlined: Sequence[Sequence[str]]


def inline(code: ClassCode, variables: frozenset[str] = frozenset()) -> InlinePlan:
    """Inline values without a name of their own that are used once, and drop statements that nothing uses.

    What draws random numbers stays in order: it is inlined only where nothing else draws in between.

    Args:
        code: the class.
        variables: tokens that stay variables in any case.
    """
    inliner = _Inliner(code, variables)
    plan = inliner.run()
    return inline(code, variables | inliner.overtaken) if inliner.overtaken else plan


@dataclass
class _Inliner:
    code: ClassCode
    variables: frozenset[str]
    pending: dict[str, tuple[ast.expr, list[str]]] = field(default_factory=dict)
    kept: list[Statement] = field(default_factory=list)
    inlined: list[list[str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    results: Sequence[ast.expr] = ()
    overtaken: set[str] = field(default_factory=set)

    def run(self) -> InlinePlan:
        written, self.results = without_aliases(self.code)
        statements = used(written, self.results)
        self.counts = _counts(statements, self.results)
        last = statements[-1] if statements else None
        for statement in statements:
            self.inlined.append([])
            done = self.filled(statement)
            if not self.code.draws.keys().isdisjoint(done.targets):
                self.overtaken.update(filter(self.draws, self.pending))
            if isinstance(done, Assignment) and self.is_inline(done, statement is last):
                self.pending[done.targets[0]] = (done.value, self.inlined.pop())
            else:
                self.kept.append(done)
        self.inlined.append([])
        results = [self.fill(result) for result in self.results]
        return InlinePlan(statements=self.kept, results=results, inlined=self.inlined)

    def draws(self, token: str) -> bool:
        """Whether a value that waits to be inlined draws random numbers."""
        return not self.code.draws.keys().isdisjoint((token, *self.pending[token][1]))

    def is_inline(self, step: Assignment, is_last: bool) -> bool:
        token = step.targets[0]
        if len(step.targets) > 1 or self.counts[token] != 1 or token in self.variables:
            return False
        # `return f(x)` is idiomatic even where the value has a name.
        returned = is_last and len(self.results) == 1 and token in names(self.results[0])
        return returned or not self.code.variables[token].hint

    def filled(self, statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            # The start is computed once; what is inlined into the body would be computed in every turn.
            return replace(statement, start=self.fill(statement.start))
        return replace(statement, value=self.fill(statement.value))

    def fill(self, tree: ast.expr) -> ast.expr:
        found = {token: self.pending.pop(token) for token in list(names(tree)) if token in self.pending}
        for token, (_, parts) in found.items():
            self.inlined[-1] += [token, *parts]
        return substitute(tree, {token: value for token, (value, _) in found.items()}) if found else tree


def written(plan: InlinePlan) -> frozenset[str]:
    """The tokens whose values the code computes."""
    kept = (token for statement in plan.statements for token in statement.targets)
    return frozenset(kept).union(*plan.inlined)


def without_aliases(code: ClassCode) -> tuple[list[Statement], list[ast.expr]]:
    """Statements and results without aliases (`y = x`) and without repeated computations.

    An expression is reused only if it reads neither `self` nor `F`: it then reads no parameters, and draws no random
    numbers, because dropout reads `self.training`. Most of these expressions compute positions.
    """
    aliases: dict[str, ast.expr] = {}
    known: dict[str, str] = {}
    statements: list[Statement] = []
    # In brackets, which no variable has in its name.
    dims = {token: name(f"({dim})") for token, dim in code.sizes.items()}
    for statement in code.statements:
        done = with_expressions(statement, lambda tree: substitute(tree, aliases))
        value = done.value
        if isinstance(done, Assignment) and isinstance(value, ast.Name) and value.id in code.variables:
            aliases[done.targets[0]] = value
        elif isinstance(done, Assignment) and len(done.targets) == 1 and not {"self", "F"} & set(names(value)):
            # Variables for sizes are written as the sizes, so that equal expressions have equal text.
            first = known.setdefault(ast.dump(substitute(value, dims)), done.targets[0])
            if first == done.targets[0]:
                statements.append(done)
            else:
                aliases[done.targets[0]] = name(first)
        else:
            statements.append(done)
    return statements, [substitute(result, aliases) for result in code.results]


def with_expressions(statement: Statement, change: Callable[[ast.expr], ast.expr]) -> Statement:
    """The statement with its expressions changed."""
    value = change(statement.value)
    if isinstance(statement, Loop):
        return replace(statement, start=change(statement.start), over=change(statement.over), value=value)
    return replace(statement, value=value)


def used(statements: Iterable[Statement], results: Iterable[ast.expr]) -> list[Statement]:
    """The statements that the results depend on, and all that do more than make a value, in order."""
    live = {found for result in results for found in names(result)}
    kept = []
    for statement in reversed(list(statements)):
        if _is_needed(statement, live):
            kept.append(statement)
            live.update(statement.reads())
    return kept[::-1]


def _is_needed(statement: Statement, live: set[str]) -> bool:
    """Whether a statement must be kept: one that does more than make a value, or if a live name needs it."""
    if isinstance(statement, Require | Do):
        return True
    return statement.target in live if isinstance(statement, Default) else not live.isdisjoint(statement.targets)


def _counts(statements: Iterable[Statement], results: Iterable[ast.expr]) -> Counter[str]:
    """How often each name is read; a read in a loop counts twice, so that nothing is inlined into a loop."""
    counts: Counter[str] = Counter()
    for statement in statements:
        if isinstance(statement, Loop):
            counts.update(names(statement.start))
            inside = Counter([*names(statement.over), *names(statement.value)])
            counts.update({found: 2 * count for found, count in inside.items()})
        else:
            counts.update(statement.reads())
    for result in results:
        counts.update(names(result))
    return counts
