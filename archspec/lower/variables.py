"""Names of variables: the hint if there is one, else a short name; names of values no longer used are reused."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from archspec.ir.types import DType
from archspec.lower.code import ClassCode, Loop, Statement
from archspec.lower.inline import InlinePlan
from archspec.lower.naming import identifier, unused
from archspec.lower.syntax import names

_PLAIN = {
    DType.FLOAT: ("x", "h", "y", "z"),
    DType.BOOL: ("mask",),
    DType.INT64: ("ids",),
    DType.INT32: ("ids",),
}


def name_variables(code: ClassCode, plan: InlinePlan, reserved: Iterable[str]) -> dict[str, str]:
    """Names for the tokens of a body.

    Args:
        code: the body.
        plan: its statements after inlining.
        reserved: names that no variable may take.

    Returns:
        a name for each token; `_` for a target that nothing reads.
    """
    return _Naming(code, plan, frozenset(reserved)).run()


class _Naming:
    def __init__(self, code: ClassCode, plan: InlinePlan, reserved: frozenset[str]) -> None:
        self.code = code
        self.plan = plan
        self.reserved = reserved
        self.names: dict[str, str] = {}
        self.last: dict[str, int] = {}
        self.live: set[str] = set()
        for number, statement in enumerate(plan.statements):
            self.last.update(dict.fromkeys(statement.reads(), number))
        end = len(plan.statements)
        self.last.update({found: end for result in plan.results for found in names(result)})

    def run(self) -> dict[str, str]:
        for token in self.code.arguments:
            self.give(token, self.hint(token) or self.plain(token))
        for number, statement in enumerate(self.plan.statements):
            self.statement(number, statement)
        return self.names

    def statement(self, number: int, statement: Statement) -> None:
        if isinstance(statement, Loop):
            self.loop(number, statement)
            return
        self.live = {token for token in self.live if self.last.get(token, -1) > number}
        for target in statement.targets:
            if target in self.last:
                self.give(target, self.hint(target) or self.plain(target))
            else:
                self.names[target] = "_"

    def loop(self, number: int, loop: Loop) -> None:
        """Name the variables of a loop.

        The carried variable takes the name of its start value if that is not used otherwise. Names of the header are
        free again after the loop.
        """
        inside = set(loop.reads_inside())
        start = loop.start.id if isinstance(loop.start, ast.Name) else ""
        takes_over = start in self.live and self.last[start] == number and start not in inside
        self.live = {token for token in self.live if self.last.get(token, -1) > number or token in inside}
        if loop.carried:
            hint = self.names[start] if takes_over else self.hint(loop.carried) or self.plain(loop.carried)
            self.give(loop.carried, hint)
        for token, _ in loop.collected:
            self.give(token, self.hint(token) or self.plain(token))
        kept = set(self.live)
        # A variable of the loop must not hide an argument, even one that is no longer used.
        self.live |= set(self.code.arguments)
        wanted = {value for _, value in loop.collected}
        for token in (*loop.locals, *loop.extra):
            if token in loop.extra and token not in wanted:
                self.names[token] = "_"
            else:
                self.give(token, self.hint(token) or "output")
        self.live = {token for token in kept if self.last.get(token, -1) > number}

    def hint(self, token: str) -> str:
        hint = self.code.variables[token].hint
        return identifier(hint) if hint else ""

    def plain(self, token: str) -> str:
        """A short name for a value without a hint: by its dtype, the first one that is free."""
        type_ = self.code.variables[token].type
        choice = _PLAIN[type_.dtype] if type_ else _PLAIN[DType.FLOAT]
        used = {*self.reserved, *(self.names[found] for found in self.live)}
        return next((name for name in choice if name not in used), choice[0])

    def give(self, token: str, name: str) -> None:
        self.names[token] = unused(name, {*self.reserved, *(self.names[found] for found in self.live)})
        self.live.add(token)
