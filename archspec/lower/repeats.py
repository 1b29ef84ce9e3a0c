"""Lowering of repeated layers: a list of modules and one loop, whatever the number of layers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from archspec.algebra.dim import Symbol
from archspec.ir.graph import Graph, Node
from archspec.ir.repeat import Repeat
from archspec.ir.scope import join
from archspec.lower.classes import Classes, token
from archspec.lower.code import Assignment, ClassCode, Loop, Need, Variable
from archspec.lower.inline import InlinePlan
from archspec.lower.schedules import by_schedule
from archspec.lower.sizes import LAYER
from archspec.lower.syntax import name, parse, substitute


class BodyLowering(Protocol):
    """The part of `Lowering` that is used here; a protocol, because `region` imports this module."""

    classes: Classes

    def body(
        self,
        region: Graph,
        *,
        kind: str,
        path: str,
        module: str,
        around: tuple[str, ...] = (),
        frozen: bool = False,
        forced: Sequence[int] = (),
        needs: Sequence[Need] = (),
        width: int = 0,
    ) -> tuple[ClassCode, InlinePlan]:
        """Lower one body; see `archspec.lower.region.Lowering`."""
        ...


class LayerStack:
    """The bodies of one repeat, lowered so that the same call can run each of them.

    The bodies may read different captured values. If their arguments match one by one in number and type, the loop runs
    over the layers and their arguments together; otherwise every body takes the arguments of all of them.
    """

    def __init__(self, lowering: BodyLowering, node: Node, op: Repeat, around: tuple[str, ...], frozen: bool) -> None:
        self.lowering = lowering
        self.node = node
        self.op = op
        self.around = around
        self.frozen = frozen
        # A body that no layer has needs no class.
        self.kinds = [kind for kind in range(len(node.regions)) if op.schedule.count(kind)]
        self.width = max(len(node.regions[kind].outputs) for kind in self.kinds)
        bodies = self.bodies((), ())
        if not self.is_uniform([code for code, _ in bodies]):
            inputs = sorted({n for code, _ in bodies for n in code.inputs})
            bodies = self.bodies(inputs, list(dict.fromkeys(need for code, _ in bodies for need in code.needs)))
        self.codes = {kind: code for kind, (code, _) in zip(self.kinds, bodies, strict=True)}
        self.numbers = {
            kind: lowering.classes.add(code, plan) for kind, (code, plan) in zip(self.kinds, bodies, strict=True)
        }

    def bodies(self, inputs: Sequence[int], needs: Sequence[Need]) -> list[tuple[ClassCode, InlinePlan]]:
        """The lowered bodies of all kinds, with the given inputs and needs as arguments in any case."""
        return [
            self.lowering.body(
                self.node.regions[kind],
                kind=self.op.kinds[kind],
                path=join(self.node.path, "*"),
                module=f"{self.op.module}.*",
                around=self.around,
                frozen=self.frozen,
                forced=(0, *inputs),
                needs=needs,
                width=self.width,
            )
            for kind in self.kinds
        ]

    def is_uniform(self, codes: Sequence[ClassCode]) -> bool:
        """Whether the arguments of all bodies match one by one in number, type and needs."""
        first = codes[0]
        types = [value.type for value in self.node.inputs]
        return all(
            code.needs == first.needs
            and len(code.inputs) == len(first.inputs)
            and all(types[a].matches(types[b]) for a, b in zip(code.inputs, first.inputs, strict=True))
            for code in codes
        )

    @property
    def holders(self) -> list[int]:
        """Numbers of the layers that hold the parameters if layers share them: the first layer of each body."""
        return sorted(self.op.schedule.first(kind) for kind in self.kinds)

    def made(self) -> ast.expr:
        """Constructor of the list of layers."""
        classes = {kind: name(token(number)) for kind, number in self.numbers.items()}
        if self.op.shared:
            return self.made_shared(classes)
        if len(set(self.numbers.values())) == 1:
            (number,) = set(self.numbers.values())
            return parse(f"nn.ModuleList({token(number)}() for _ in range({len(self.op.schedule)}))")
        tree = parse("nn.ModuleList(kind() for kind in __over)")
        return substitute(tree, {"__over": by_schedule(self.op.schedule, classes)})

    def made_shared(self, classes: dict[int, ast.expr]) -> ast.expr:
        made = {self.op.schedule.first(kind): ast.Call(one, [], []) for kind, one in classes.items()}
        # The state dict has the number of the layer that holds the weights; a list has no gaps, a dict may have.
        holders = self.holders
        if holders == list(range(len(holders))):
            return substitute(parse("nn.ModuleList(__over)"), {"__over": ast.List([made[n] for n in holders])})
        entries = ast.Dict([ast.Constant(str(n)) for n in holders], [made[n] for n in holders])
        return substitute(parse("nn.ModuleDict(__over)"), {"__over": entries})

    def lower(self, code: ClassCode, access: str, operands: Sequence[str], bring: Callable[[Need], str]) -> list[str]:
        """Append the loop to the code of the enclosing module.

        Args:
            code: the code of the enclosing module.
            access: source of the list of layers.
            operands: tokens of the node's inputs, the carried value first.
            bring: gives the source of something that a body needs.

        Returns:
            the tokens of the node's outputs.
        """
        return _LoopWriter(self, code, access, operands, bring).run()


class _LoopWriter:
    def __init__(
        self, stack: LayerStack, code: ClassCode, access: str, operands: Sequence[str], bring: Callable[[Need], str]
    ) -> None:
        self.stack = stack
        self.code = code
        self.access = access
        self.operands = operands
        self.bring = bring
        self.columns: list[tuple[str, ast.expr]] = []
        self.number = ""

    def run(self) -> list[str]:
        first = self.stack.node.outputs[0]
        carried = self.code.variable(Variable(hint=first.name or "x", type=first.type))
        layer = self.layer()
        arguments = [carried, *(self.argument(position) for position in range(1, self.arity)), *self.needed()]
        outputs = [carried, *(self.code.variable(Variable(hint=self.hint(n))) for n in range(1, self.stack.width))]
        lists = {output: self.list_of(output) for output in sorted({tap.output for tap in self.stack.op.taps})}
        header, over = self.over()
        loop = Loop(
            carried=carried,
            start=name(self.operands[0]),
            header=header,
            over=over,
            value=parse(f"{layer}({', '.join(arguments)})"),
            locals=tuple(one for one in (self.number, *(column for column, _ in self.columns)) if one),
            extra=tuple(outputs[1:]),
            collected=tuple((found, outputs[output]) for output, found in lists.items()),
        )
        self.code.statements.append(loop)
        return [carried, *self.taps(lists)]

    @property
    def arity(self) -> int:
        return len(next(iter(self.stack.codes.values())).inputs)

    def layer(self) -> str:
        """Source of the module that one iteration of the loop runs."""
        stack = self.stack
        if not stack.op.shared:
            return self.column("layer", parse(self.access))
        holders = stack.holders
        if len(holders) == 1:
            return f"{self.access}[0]" if holders == [0] else f'{self.access}["{holders[0]}"]'
        in_order = holders == list(range(len(holders)))
        keys: dict[int, ast.expr] = {}
        for kind in stack.kinds:
            first = stack.op.schedule.first(kind)
            keys[kind] = ast.Constant(first if in_order else str(first))
        return f"{self.access}[{self.column('kind', by_schedule(stack.op.schedule, keys))}]"

    def argument(self, position: int) -> str:
        """Source of a captured value: the same for all layers, or from a list that follows the schedule."""
        by_kind = {kind: self.operands[code.inputs[position]] for kind, code in self.stack.codes.items()}
        if len(set(by_kind.values())) == 1:
            return next(iter(by_kind.values()))
        code = next(iter(self.stack.codes.values()))
        hint = code.variables[code.arguments[position]].hint
        sources = {kind: name(operand) for kind, operand in by_kind.items()}
        values = self.code.variable(Variable(hint=f"{hint}s", annotation="list[Tensor]"))
        made = Assignment(targets=(values,), value=by_schedule(self.stack.op.schedule, sources))
        self.code.statements.append(made)
        return self.column(hint, name(values))

    def needed(self) -> list[str]:
        """Sources of what the bodies need besides tensors: the layer number, sizes, parameters held elsewhere."""
        return [
            self.counter() if isinstance(need.what, Symbol) and need.what.name == LAYER else self.bring(need)
            for need in next(iter(self.stack.codes.values())).needs
        ]

    def counter(self) -> str:
        self.number = self.number or self.code.variable(Variable(hint="number", annotation="int"))
        return self.number

    def column(self, hint: str, over: ast.expr) -> str:
        token_ = self.code.variable(Variable(hint=hint))
        self.columns.append((token_, over))
        return token_

    def over(self) -> tuple[ast.expr, ast.expr]:
        """The target of the `for`, and what it iterates over."""
        if not self.columns:
            count = parse(f"range({len(self.stack.op.schedule)})")
            return name(self.number or "_"), count
        targets = [name(column) for column, _ in self.columns]
        header, over = targets[0], self.columns[0][1]
        if len(targets) > 1:
            header = ast.Tuple(list(targets))
            over = ast.Call(name("zip"), [one for _, one in self.columns], [])
        if self.number:
            header, over = ast.Tuple([name(self.number), header]), ast.Call(name("enumerate"), [over], [])
        return header, over

    def list_of(self, output: int) -> str:
        """The list that collects one output of every layer."""
        hint = f"all_{self.hint(output)}" if output else "states"
        return self.code.variable(Variable(hint=hint, annotation="list[Tensor]"))

    def hint(self, output: int) -> str:
        """The name of a further output of the layers, as the first body that names it does."""
        regions = [self.stack.node.regions[kind] for kind in self.stack.kinds]
        return next((one.outputs[output].name for one in regions if output < len(one.outputs)), "") or "output"

    def taps(self, lists: Mapping[int, str]) -> list[str]:
        """Outputs of single layers, taken from the lists."""
        made = []
        for value, tap in zip(self.stack.node.outputs[1:], self.stack.op.taps, strict=True):
            made.append(self.code.variable(Variable(type=value.type)))
            self.code.statements.append(
                Assignment(targets=(made[-1],), value=parse(f"{lists[tap.output]}[{tap.layer}]"))
            )
        return made
