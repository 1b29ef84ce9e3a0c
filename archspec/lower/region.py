"""Lowering of module bodies: nodes in order, each primitive, call or repeat as statements."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.lower.attributes import Attribute, Attributes, access
from archspec.lower.classes import Classes, token
from archspec.lower.code import Assignment, ClassCode, Need, Variable, hint_of
from archspec.lower.errors import LoweringError, ReusedDifferently
from archspec.lower.inline import InlinePlan, inline
from archspec.lower.primitive import Helpers, Primitives, relative
from archspec.lower.repeats import LayerStack
from archspec.lower.sizes import resolve
from archspec.lower.syntax import name, names, parse


class Lowering:
    """Lowers bodies, and collects their classes and helpers for one file."""

    def __init__(self) -> None:
        self.classes = Classes()
        self.helpers = Helpers()

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
        """Lower one body.

        Args:
            region: the body.
            kind: the kind of the module, for the name of its class; "" for the whole model.
            path: the path of the node, also for names.
            module: the path below which its parameters are held.
            around: kinds of the enclosing modules, outermost first.
            frozen: whether this module or an enclosing one turns training off.
            forced: numbers of inputs that become arguments even if nothing reads them.
            needs: needs that become arguments, whether they are used or not.
            width: the least number of results; missing ones are None.

        Returns:
            the code of the class, and its statements after inlining.

        Raises:
            LoweringError: if a module cannot express the body.
        """
        code = ClassCode(kind=kind, path=path, around=around, attributes=Attributes())
        tokens = {value: code.variable(Variable(hint=value.name, type=value.type)) for value in region.inputs}
        inputs = list(tokens.values())
        for need in needs:
            code.need(need)
        _Body(self, code, tokens, module, frozen).run(region)
        code.results += [parse("None")] * (width - len(code.results))
        plan = finished(code, inputs)
        read = set(reads(plan))
        code.inputs = tuple(n for n, found in enumerate(inputs) if found in read or n in forced)
        code.arguments[:0] = [inputs[n] for n in code.inputs]
        return code, plan


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


class _Body:
    """One body under construction. `tokens` maps the region's values to variables."""

    def __init__(
        self, lowering: Lowering, code: ClassCode, tokens: dict[Value, str], module: str, frozen: bool
    ) -> None:
        self.lowering = lowering
        self.code = code
        self.tokens = tokens
        self.module = module
        self.frozen = frozen

    def run(self, region: Graph) -> None:
        for node in region.nodes:
            try:
                made = self.node(node, [self.tokens[value] for value in node.inputs])
            except LoweringError as error:
                # The innermost node is the first to catch the error.
                error.node = error.node or node
                raise
            self.tokens.update(zip(node.outputs, made, strict=True))
        self.code.results = [name(self.tokens[value]) for value in region.outputs]

    def node(self, node: Node, operands: Sequence[str]) -> list[str]:
        """Append the statements of a node, given the tokens of its inputs; returns the tokens of its outputs."""
        match node.op:
            case Call() as op:
                return self.call(node, op, operands)
            case Repeat() as op:
                return self.repeat(node, op, operands)
            case _:
                return Primitives(self.code, self.module, self.lowering.helpers, self.frozen).lower(node, operands)

    def call(self, node: Node, op: Call, operands: Sequence[str]) -> list[str]:
        """Lower a call of a module, such as `x = self.attention(x, mask)`, and the module's body."""
        frozen = self.freezes(node)
        code, plan = self.lowering.body(
            node.regions[0],
            kind=op.kind,
            path=node.path,
            module=op.module,
            around=self.inside,
            frozen=frozen or self.frozen,
        )
        number = self.lowering.classes.add(code, plan)
        path = relative(op.module, self.module)
        made = self.made(parse(f"{token(number)}()"), frozen)
        if not self.code.attributes.declare(path, Attribute(made=made, inner=code.attributes)):
            raise ReusedDifferently(node.path)
        arguments = [operands[n] for n in code.inputs] + [self.bring(need) for need in code.needs]
        targets = [self.code.variable(Variable(hint=hint_of(node, value), type=value.type)) for value in node.outputs]
        value = parse(f"{access(path)}({', '.join(arguments)})")
        self.code.statements.append(Assignment(targets=tuple(targets), value=value))
        return targets

    def repeat(self, node: Node, op: Repeat, operands: Sequence[str]) -> list[str]:
        """Lower repeated layers as a list of modules and a loop."""
        frozen = self.freezes(node)
        stack = LayerStack(self.lowering, node, op, self.inside, frozen or self.frozen)
        path = relative(op.module, self.module)
        made = self.made(stack.made(), frozen)
        if not self.code.attributes.declare(path, Attribute(made=made)):
            raise ReusedDifferently(node.path)
        return stack.lower(self.code, access(path), operands, self.bring)

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
        return bool(held) and not self.frozen and not any(parameter.trainable for parameter in held)

    def bring(self, need: Need) -> str:
        """Source of something that an inner body needs; it becomes a need of this body if it is not accessible here."""
        if isinstance(need.what, Symbol):
            return self.code.size(Dim.of(need.what))
        return self.code.attributes.locate(need.what) or self.code.need(need)
