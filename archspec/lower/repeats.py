"""Lowering of repeated layers: a list of modules and one loop, whatever the number of layers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from archspec.algebra.dim import Symbol
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.lower.body_site import BodyInterface, BodySite
from archspec.lower.classes import Classes, code_key, token
from archspec.lower.code import Assignment, ClassCode, Loop, Need, Slots, Variable
from archspec.lower.errors import ReusedDifferently
from archspec.lower.inline import InlinePlan
from archspec.lower.schedules import by_schedule
from archspec.lower.sizes import LAYER
from archspec.lower.syntax import name, parse, substitute
from archspec.lower.writes import is_update, results


class BodyLowering(Protocol):
    """The part of `Lowering` that is used here; a protocol, because `region` imports this module."""

    classes: Classes
    in_place: bool

    def layer(
        self, region: Graph, stack: BodySite, op: Repeat, kind: int, interface: BodyInterface
    ) -> tuple[ClassCode, InlinePlan]:
        """Lower one body of a stack of layers; see `archspec.lower.region.Lowering`."""
        ...


class LayerStack:
    """The bodies of one repeat, lowered so that the same call can run each of them.

    The bodies may read different captured values. If their arguments match one by one in number and type, the loop runs
    over the layers and their arguments together; otherwise every body takes the arguments of all of them. `base` is the
    stack as `forward` runs it, for another method.
    """

    def __init__(
        self, lowering: BodyLowering, node: Node, op: Repeat, site: BodySite, base: LayerStack | None = None
    ) -> None:
        self.lowering = lowering
        self.node = node
        self.op = op
        self.site = site
        self.base = base
        self.method = ""
        self.methods: dict[str, LayerStack] = {}
        # A body that no layer has needs no class.
        self.kinds = [kind for kind in range(len(node.regions)) if op.schedule.count(kind)]
        # Layers of which each makes something of its own alone hand nothing on.
        self.carries = any(node.regions[kind].outputs[0] is not node.regions[kind].inputs[0] for kind in self.kinds)
        self.width = max(len(self.results(kind)) for kind in self.kinds)
        bodies = self.bodies((), ())
        if not self.is_uniform([code for code, _ in bodies]):
            inputs = sorted({n for code, _ in bodies for n in code.inputs})
            bodies = self.bodies(inputs, list(dict.fromkeys(need for code, _ in bodies for need in code.needs)))
        self.made_of = dict(zip(self.kinds, bodies, strict=True))
        self.codes = {kind: code for kind, (code, _) in self.made_of.items()}

    @property
    def first(self) -> int:
        """The number of the first output of a body that its code returns."""
        return 0 if self.carries else 1

    def results(self, kind: int) -> list[Value]:
        """The outputs of a body that its code returns."""
        return results(self.node.regions[kind], self.first, in_place=self.lowering.in_place)

    def is_written(self, value: Value) -> bool:
        """Whether an output of the node is written in place."""
        return self.lowering.in_place and is_update(value)

    def bodies(self, inputs: Sequence[int], needs: Sequence[Need]) -> list[tuple[ClassCode, InlinePlan]]:
        """The lowered bodies of all kinds, with the given inputs and needs as arguments in any case."""
        return [
            self.lowering.layer(
                self.node.regions[kind],
                self.site,
                self.op,
                kind,
                BodyInterface(
                    forced=(0, *inputs) if self.carries else inputs,
                    needs=needs,
                    width=self.width,
                    first=self.first,
                    attributes=None if self.base is None else self.base.codes[kind].attributes,
                ),
            )
            for kind in self.kinds
        ]

    def is_uniform(self, codes: Sequence[ClassCode]) -> bool:
        """Whether the arguments of all bodies match one by one in number, type and needs."""
        return all(
            len(code.needs) == len(codes[0].needs)
            and all(_alike(a, b) for a, b in zip(code.needs, codes[0].needs, strict=True))
            and len(code.inputs) == len(codes[0].inputs)
            and all(self.match(a, b) for a, b in zip(code.inputs, codes[0].inputs, strict=True))
            for code in codes
        )

    def match(self, a: int, b: int) -> bool:
        """Whether two operands can be the same argument: both of one type, or both stacks."""
        stacked = self.op.stacked
        if a in stacked or b in stacked:
            return a in stacked and b in stacked
        one, other = self.node.inputs[a].type, self.node.inputs[b].type
        if self.base is not None:
            # In a step the keys of layers with a window are others than those of layers without.
            return (one.dtype, one.rank) == (other.dtype, other.rank)
        return one.matches(other)

    def equals(self, other: LayerStack) -> bool:
        """Whether the bodies have the same code as those of another stack, for all kinds of layers."""
        return all(code_key(*self.made_of[kind]) == code_key(*other.made_of[kind]) for kind in self.kinds)

    def add(self, method: str, other: LayerStack) -> None:
        """Add a method of all layers. Raises ReusedDifferently if they have another one of this name."""
        if not other.equals(self.methods.setdefault(method, other)):
            raise ReusedDifferently(other.node.path)

    @cached_property
    def numbers(self) -> dict[int, int]:
        """The number of the class of each kind of layer; asked for the first time once all methods are known."""
        return {
            kind: self.lowering.classes.add(
                *self.made_of[kind], {name: other.made_of[kind] for name, other in self.methods.items()}
            )
            for kind in self.kinds
        }

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


def _alike(a: Need, b: Need) -> bool:
    """Whether two needs can be the same argument."""
    return a == b or (isinstance(a.what, Slots) and isinstance(b.what, Slots))


class LoopWriter:
    """Appends the loop over layers to the code of the enclosing module.

    Args:
        stack: the layers.
        code: the code of the enclosing module.
        access: source of the list of layers.
        operands: tokens of the node's inputs, the carried value first.
        bring: gives the source of something that a body needs.
    """

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
        """Append the loop; returns the tokens of the node's outputs, "" for what is written in place."""
        stack, value = self.stack, self.stack.node.outputs[0]
        carried = self.code.variable(Variable(hint=value.name or "x", type=value.type)) if stack.carries else ""
        layer = self.layer()
        arguments = [self.argument(position) for position in range(stack.carries, self.arity)]
        arguments = [*([carried] if carried else []), *arguments, *self.needed()]
        extra = [self.code.variable(Variable(hint=self.hint(n))) for n in range(stack.carries, stack.width)]
        outputs = dict(enumerate([carried, *extra]))
        collected = {tap.output for tap in stack.op.taps} | {output for _, output in self.made_stacks()}
        lists = {output: self.list_of(output) for output in sorted(collected)}
        header, over = self.over()
        loop = Loop(
            carried=carried,
            start=name(self.operands[0]) if carried else parse("None"),
            header=header,
            over=over,
            value=parse(f"{layer}{'.' if stack.method else ''}{stack.method}({', '.join(arguments)})"),
            locals=tuple(one for one in (self.number, *(column for column, _ in self.columns)) if one),
            extra=tuple(extra),
            collected=tuple((found, outputs[output]) for output, found in lists.items()),
        )
        self.code.statements.append(loop)
        return [carried, *self.taps(lists), *self.stacks(lists)]

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
            # A ModuleList is indexed by numbers, a ModuleDict by texts.
            keys[kind] = ast.Constant(first if in_order else str(first))
        return f"{self.access}[{self.column('kind', by_schedule(stack.op.schedule, keys))}]"

    def argument(self, position: int) -> str:
        """Source of a captured value: the same for all layers, or from a list that follows the schedule."""
        by_kind = {kind: self.operands[code.inputs[position]] for kind, code in self.stack.codes.items()}
        if any(code.inputs[position] in self.stack.op.stacked for code in self.stack.codes.values()):
            return self.part(position, by_kind)
        if len(set(by_kind.values())) == 1:
            return next(iter(by_kind.values()))
        code = next(iter(self.stack.codes.values()))
        hint = code.variables[code.arguments[position]].hint
        sources = {kind: name(operand) for kind, operand in by_kind.items()}
        values = self.code.variable(Variable(hint=f"{hint}s", annotation="list[Tensor]"))
        made = Assignment(targets=(values,), value=by_schedule(self.stack.op.schedule, sources))
        self.code.statements.append(made)
        return self.column(hint, name(values))

    def part(self, position: int, by_kind: Mapping[int, str]) -> str:
        """Source of a layer's part of a stack: each kind of layer takes its parts from its own stack, in order."""
        code = next(iter(self.stack.codes.values()))
        hint = code.variables[code.arguments[position]].hint
        if len(by_kind) == 1:
            return self.column(hint, name(next(iter(by_kind.values()))))
        parts = {}
        for kind, operand in by_kind.items():
            owner = self.stack.op.stacked[self.stack.codes[kind].inputs[position]]
            # Every body takes the arguments of all kinds; for the part of another kind it gets None.
            source = f"iter({operand})" if owner == kind else "iter(())"
            parts[kind] = self.code.variable(Variable(hint=f"{hint}_parts"))
            self.code.statements.append(Assignment(targets=(parts[kind],), value=parse(source)))
        over = by_schedule(self.stack.op.schedule, {kind: name(one) for kind, one in parts.items()})
        found = self.code.variable(Variable(hint=f"{hint}s", annotation="list[Tensor]"))
        made = substitute(parse("[next(part, None) for part in __over]"), {"__over": over})
        self.code.statements.append(Assignment(targets=(found,), value=made))
        return self.column(hint, name(found))

    def needed(self) -> list[str]:
        """Sources of what the bodies need besides tensors: the layer number, sizes, parameters held elsewhere."""
        codes = self.stack.codes
        return [
            self.need({kind: code.needs[number] for kind, code in codes.items()})
            for number in range(len(next(iter(codes.values())).needs))
        ]

    def need(self, by_kind: Mapping[int, Need]) -> str:
        """Source of one need: the same for all layers, or places to write that follow the schedule."""
        first = next(iter(by_kind.values()))
        if isinstance(first.what, Symbol) and first.what.name == LAYER:
            return self.counter()
        found = {kind: self.bring(need) for kind, need in by_kind.items()}
        if len(set(found.values())) == 1:
            return found[next(iter(found))]
        values = self.code.variable(Variable(hint="all_slots", annotation="list[Tensor]"))
        over = by_schedule(self.stack.op.schedule, {kind: name(one) for kind, one in found.items()})
        self.code.statements.append(Assignment(targets=(values,), value=over))
        return self.column("slots", name(values))

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
        hint = f"all_{self.hint(output - self.stack.first)}" if output else "states"
        return self.code.variable(Variable(hint=hint, annotation="list[Tensor]"))

    def hint(self, output: int) -> str:
        """The name of a further output of the layers, as the first body that names it does."""
        regions = [self.stack.results(kind) for kind in self.stack.kinds]
        return next((one[output].name for one in regions if output < len(one)), "") or "output"

    def taps(self, lists: Mapping[int, str]) -> list[str]:
        """Outputs of single layers, taken from the lists."""
        made = []
        # The outputs behind those of the taps are stacks.
        for value, tap in zip(self.stack.node.outputs[1:], self.stack.op.taps, strict=False):
            made.append(self.code.variable(Variable(type=value.type)))
            self.code.statements.append(
                Assignment(targets=(made[-1],), value=parse(f"{lists[tap.output]}[{tap.layer}]"))
            )
        return made

    def made_stacks(self) -> list[tuple[Value, int]]:
        """Outputs of the node that stack an output of one kind of layer, and the number of that output."""
        op, node = self.stack.op, self.stack.node
        stacks = zip(node.outputs[1 + len(op.taps) :], op.stacks, strict=True)
        return [
            (value, scan.output)
            for value, scan in stacks
            if scan.output is not None and not self.stack.is_written(value)
        ]

    def stacks(self, lists: Mapping[int, str]) -> list[str]:
        """Stacks of outputs of the layers of one kind; "" for those that are written in place."""
        op, node = self.stack.op, self.stack.node
        made: list[str] = []
        for value, scan in zip(node.outputs[1 + len(op.taps) :], op.stacks, strict=True):
            if self.stack.is_written(value) or scan.output is None:
                made.append("")
                continue
            parts = lists[scan.output]
            if len(self.stack.kinds) > 1:
                parts = f"[{', '.join(f'{parts}[{layer}]' for layer in op.schedule.layers(scan.body))}]"
            if self.stack.lowering.in_place:
                made.append(self.code.variable(Variable(hint=value.name, type=value.type)))
                self.code.statements.append(Assignment(targets=(made[-1],), value=parse(f"torch.stack({parts})")))
            elif len(self.stack.kinds) > 1:
                made.append(self.code.variable(Variable(hint=f"all_{value.name}", annotation="list[Tensor]")))
                self.code.statements.append(Assignment(targets=(made[-1],), value=parse(parts)))
            else:
                made.append(parts)
        return made
