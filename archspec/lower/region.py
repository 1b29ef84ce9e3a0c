"""Lowering of module bodies: nodes in order, each primitive, call or repeat as statements."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.ir.scope import join
from archspec.lower.attributes import Attribute, Attributes, access
from archspec.lower.body_site import FREE, BodyInterface, BodySite
from archspec.lower.classes import Classes, code_key, token
from archspec.lower.code import Assignment, ClassCode, Do, Need, Slots, Variable, hint_of
from archspec.lower.errors import LoweringError, ReusedDifferently
from archspec.lower.inline import InlinePlan, inline, written
from archspec.lower.places import body_place, nodes_by_place, place
from archspec.lower.primitive import Helpers, Primitives, relative
from archspec.lower.repeats import LayerStack, LoopWriter
from archspec.lower.sizes import resolve
from archspec.lower.stored import values_of
from archspec.lower.syntax import name, names, parse
from archspec.lower.writes import Writer, is_list, is_stack, is_update, is_written, results
from archspec.ops.state.write_positions import WritePositions
from archspec.record import record

LIST = "list[Tensor]"
NO_GRAPHS: Mapping[str, Graph] = MappingProxyType({})


@record
class MethodCall:
    """How a module is called: the code of the method, and its name, "" for `forward`."""

    code: ClassCode
    method: str = ""


class Lowering:
    """Lowers bodies, and collects their classes and helpers for one file.

    `graphs` are further graphs of the same model, each by the name of the method that computes it; `methods` are names
    that no attribute may have. With `in_place` code writes into what a step keeps; without, it returns what replaces
    it, and stacks over layers are lists of one tensor a layer. `calls`, `stacks` and `layers` tell afterwards how each
    module is called, with `layers` the paths of those that stand for one op, and `drawing` which nodes draw random
    numbers in training: what nothing reads is not written.
    """

    def __init__(
        self,
        graphs: Mapping[str, Graph] = NO_GRAPHS,
        methods: frozenset[str] = frozenset(),
        *,
        in_place: bool = True,
    ) -> None:
        self.methods = methods
        self.in_place = in_place
        self.classes = Classes()
        self.helpers = Helpers()
        self.found = {method: nodes_by_place(graph) for method, graph in graphs.items()}
        self.calls: dict[Node, MethodCall] = {}
        self.stacks: dict[Node, LayerStack] = {}
        self.layers: dict[Node, str] = {}
        self.drawing: set[Node] = set()

    def body(self, region: Graph, site: BodySite, interface: BodyInterface = FREE) -> tuple[ClassCode, InlinePlan]:
        """Lower one body.

        Args:
            region: the body.
            site: where it stands.
            interface: what its callers require of the method.

        Returns:
            the code of the method, and its statements after inlining.

        Raises:
            LoweringError: if a module cannot express the body.
        """
        own = interface.attributes
        is_forward = own is None
        own = Attributes(self.methods) if own is None else own
        code = ClassCode(kind=site.kind, path=site.path, around=site.around, attributes=own)
        tokens = {value: code.variable(self.input(region, value)) for value in region.inputs}
        inputs = list(tokens.values())
        for need in interface.needs:
            code.need(need)
        _Body(self, code, tokens, site, is_forward).run(region, interface.first)
        # All bodies of one stack return equally many results.
        code.results += [parse("None")] * (interface.width - len(code.results))
        plan = finished(code, inputs)
        # Asked after inlining: an input that only removed statements read is no argument.
        read = set(reads(plan))
        code.inputs = tuple(n for n, found in enumerate(inputs) if found in read or n in interface.forced)
        code.arguments[:0] = [inputs[n] for n in code.inputs]
        computed = written(plan)
        self.drawing.update(node for token, node in code.draws.items() if token in computed)
        return code, plan

    def input(self, region: Graph, value: Value) -> Variable:
        """The variable of an input of a body."""
        if not self.in_place and is_stack(region, value):
            return Variable(hint=_hint(region, value), annotation=LIST)
        return Variable(hint=_hint(region, value), type=value.type)

    def layer(
        self, region: Graph, stack: BodySite, op: Repeat, kind: int, interface: BodyInterface
    ) -> tuple[ClassCode, InlinePlan]:
        """Lower the body of one kind of layers of a stack; the rest as for `body`."""
        site = replace(
            stack,
            kind=op.kinds[kind],
            path=join(stack.path, "*"),
            module=f"{op.module}.*",
            place=body_place(stack.place, kind),
        )
        return self.body(region, site, interface)

    def other_calls(self, site: BodySite, code: ClassCode, plan: InlinePlan) -> dict[str, tuple[ClassCode, InlinePlan]]:
        """The methods of a module other than `forward`, whose code is given, in the other graphs that call it."""
        methods: dict[str, tuple[ClassCode, InlinePlan]] = {}
        for method, found in self.found.items():
            for node in found.get(site.place, ()):
                made = self.body(node.regions[0], site, BodyInterface(attributes=code.attributes))
                # Where the code is that of `forward`, the module needs no other method.
                if code_key(*made) == code_key(code, plan):
                    self.calls[node] = MethodCall(code=made[0])
                    continue
                # A class has one method of a name, so all calls in one graph must agree.
                known = methods.setdefault(method, made)
                if code_key(*known) != code_key(*made):
                    raise ReusedDifferently(node.path)
                self.calls[node] = MethodCall(code=made[0], method=method)
        return methods

    def other_stacks(self, site: BodySite, stack: LayerStack) -> None:
        """Add to the layers of a repeat their methods in the other graphs that run them."""
        for method, found in self.found.items():
            for node in found.get(site.place, ()):
                assert isinstance(node.op, Repeat)
                other = LayerStack(self, node, node.op, site, base=stack)
                if not other.equals(stack):
                    other.method = method
                    stack.add(method, other)
                self.stacks[node] = other


def lowered(graph: Graph) -> tuple[Lowering, ClassCode]:
    """The lowering of a graph whose `forward` takes all of its inputs, and the code of that.

    Raises:
        LoweringError: if a module cannot express the graph.
    """
    lowering = Lowering()
    code, _ = lowering.body(graph, BodySite(), BodyInterface(forced=range(len(graph.inputs))))
    return lowering, code


def finished(code: ClassCode, inputs: Sequence[str], variables: frozenset[str] = frozenset()) -> InlinePlan:
    """The plan of a body after inlining, with its sizes resolved from the shapes of tensors.

    Args:
        code: the body; needs are added to it for sizes that no tensor has.
        inputs: the tokens whose shapes are known from the start.
        variables: tokens that must not be inlined.
    """
    return resolve(code, inline(code, variables), inputs)


def reads(plan: InlinePlan) -> list[str]:
    """Every name that a plan reads, with repetitions."""
    found = [one for statement in plan.statements for one in statement.reads()]
    return found + [one for result in plan.results for one in names(result)]


def _hint(region: Graph, value: Value) -> str:
    """The preferred name of an input; for a cache, it tells past entries from new ones and one layer from all."""
    kept = "_cache" if is_written(region, value) else ""
    return f"{value.name}{kept}{'s' if is_stack(region, value) else ''}" if value.name else ""


class _Body:
    """One body under construction. `tokens` maps the region's values to variables."""

    def __init__(
        self, lowering: Lowering, code: ClassCode, tokens: dict[Value, str], site: BodySite, is_forward: bool
    ) -> None:
        self.lowering = lowering
        self.code = code
        self.tokens = tokens
        self.site = site
        self.module = site.module
        self.frozen = site.frozen
        self.is_forward = is_forward
        self.writer = Writer(code, lowering.helpers, in_place=lowering.in_place)

    def run(self, region: Graph, first: int) -> None:
        for node in region.nodes:
            try:
                made = self.node(node, [self.tokens[value] for value in node.inputs])
            except LoweringError as error:
                # The innermost node is the first to catch the error.
                error.node = error.node or node
                raise
            self.tokens.update(zip(node.outputs, made, strict=True))
        self.writer.finish(region, self.tokens)
        returned = results(region, first, in_place=self.lowering.in_place)
        self.code.results = [name(self.tokens[value]) for value in returned]

    def node(self, node: Node, operands: Sequence[str]) -> list[str]:
        """Append the statements of a node, given the tokens of its inputs; returns the tokens of its outputs."""
        match node.op:
            case Call() as op:
                return self.call(node, op, operands)
            case Repeat() as op:
                return self.repeat(node, op, operands)
            case WritePositions() as op:
                return [self.writer.write(node, op, operands)]
            case _:
                primitives = Primitives(
                    self.code, self.module, self.lowering.helpers, self.frozen, self.lowering.layers
                )
                return primitives.lower(node, operands)

    def call(self, node: Node, op: Call, operands: Sequence[str]) -> list[str]:
        """Lower a call of a module, such as `x = self.attention(x, mask)`, and the module's body."""
        path = relative(op.module, self.module)
        # Only `forward` declares modules, which the other methods share.
        if self.is_forward:
            self.define(node, op, path)
        found = self.lowering.calls[node]
        arguments = [operands[n] for n in found.code.inputs] + [self.bring(need) for need in found.code.needs]
        called = f"{access(path)}{'.' if found.method else ''}{found.method}"
        targets = [self.target(node, value) for value in node.outputs if not self.is_written(value)]
        value = parse(f"{called}({', '.join(arguments)})")
        made = Assignment(targets=tuple(targets), value=value) if targets else Do(value=value)
        self.code.statements.append(made)
        rest = iter(targets)
        return ["" if self.is_written(value) else next(rest) for value in node.outputs]

    def is_written(self, value: Value) -> bool:
        """Whether an output is written in place, so that the code does not return it."""
        return self.lowering.in_place and is_update(value)

    def target(self, node: Node, value: Value) -> str:
        """The token of an output of a call."""
        if not self.lowering.in_place and is_list(value):
            return self.code.variable(Variable(hint=hint_of(node, value), annotation=LIST))
        return self.code.variable(Variable(hint=hint_of(node, value), type=value.type))

    def define(self, node: Node, op: Call, path: str) -> None:
        """Lower the body of a module, and declare it as an attribute."""
        frozen = self.freezes(node)
        site = self.inner(op.kind, node.path, op.module, frozen)
        code, plan = self.lowering.body(node.regions[0], site)
        number = self.lowering.classes.add(code, plan, self.lowering.other_calls(site, code, plan))
        self.lowering.calls[node] = MethodCall(code=code)
        made = self.made(parse(f"{token(number)}()"), frozen)
        if not self.code.attributes.declare(path, Attribute(made=made, inner=code.attributes)):
            raise ReusedDifferently(node.path)

    def inner(self, kind: str, path: str, module: str, frozen: bool) -> BodySite:
        """Where a module stands that is called here."""
        return BodySite(
            kind=kind,
            path=path,
            module=module,
            place=place(self.site.place, self.module, module),
            around=self.inside,
            frozen=frozen or self.frozen,
        )

    def repeat(self, node: Node, op: Repeat, operands: Sequence[str]) -> list[str]:
        """Lower repeated layers as a list of modules and a loop."""
        path = relative(op.module, self.module)
        # As for a call, only `forward` declares the layers.
        if self.is_forward:
            frozen = self.freezes(node)
            site = self.inner("", node.path, op.module, frozen)
            stack = LayerStack(self.lowering, node, op, site)
            self.lowering.other_stacks(site, stack)
            self.lowering.stacks[node] = stack
            made = self.made(stack.made(), frozen)
            if not self.code.attributes.declare(path, Attribute(made=made)):
                raise ReusedDifferently(node.path)
        return LoopWriter(self.lowering.stacks[node], self.code, access(path), operands, self.bring).run()

    @property
    def inside(self) -> tuple[str, ...]:
        """Kinds of the modules that enclose the nodes of this body, outermost first."""
        return (*self.code.around, self.code.kind) if self.code.kind else ()

    def made(self, constructor: ast.expr, frozen: bool) -> ast.expr:
        if not frozen:
            return constructor
        return ast.Call(ast.Attribute(constructor, "requires_grad_", ast.Load()), [ast.Constant(False)], [])

    def freezes(self, node: Node) -> bool:
        """Whether no parameter of a module trains and no enclosing module turns training off."""
        inner = [n for region in node.regions for n in region.walk()]
        owned = [n.parameters[local] for n in inner for local in n.owned]
        # A node that reuses a module owns no parameters; both must give the same answer, because they share the module.
        held = owned or [parameter for n in inner for parameter in n.parameters.values()]
        # Without parameters there is nothing to freeze.
        return bool(held) and not self.frozen and not any(parameter.trainable for parameter in held)

    def bring(self, need: Need) -> str:
        """Source of something that an inner body needs; it becomes a need of this body if it is not accessible here."""
        if isinstance(need.what, Symbol):
            return self.code.size(Dim.of(need.what))
        if isinstance(need.what, Slots):
            return self.code.need(need)
        found = self.code.attributes.locate(need.what)
        return self.code.need(need) if found is None else values_of(need.what, found, self.lowering.helpers.add)
