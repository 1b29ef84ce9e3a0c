"""Make each mask once, outside the layers that use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.rewriter import Rewriter
from archspec.masks.given import Given
from archspec.masks.leaf import Padding
from archspec.ops.attention.attention import Attention
from archspec.passes.base import Pass
from archspec.passes.mask_plan import MadeMask, MaskPlan, plan_masks
from archspec.passes.prune import Prune
from archspec.passes.scopes import Scope, Scopes
from archspec.record import record


@record
class HoistMasks(Pass):
    """Masks of attention become values, made once each, as far out as the values that they read are visible.

    Given:  `%s = call(%x, %valid) { %y = attention(%q, %k, %v, %valid) {mask=KeyValid(0)} }`
    Result: `%mask = make_mask(%valid, %valid) {mask=KeyValid(0)}`
            `%s = call(%x, %mask) { %y = attention(%q, %k, %v, %mask) {mask=Given(0)} }`

    Masks that are `all` or exactly `causal` are kept, because kernels have a fast path for them; but where attention of
    one module, or of layers of one stack, has a mask of another kind elsewhere, all of them are made, so that one class
    serves all. Where a row may be left without a key, a second value says which rows have one.
    `promises` gives the padding that bool inputs of the graph promise, by name.
    """

    name = "hoist-masks"

    promises: Mapping[str, Padding] = field(default_factory=dict)

    def apply(self, graph: Graph) -> Graph:
        """Plan where each mask is made, rebuild the bodies in between, and drop operands that are no longer used."""
        scopes = Scopes(graph)
        plan = plan_masks(scopes, self.promises)
        if not plan.attention:
            return graph
        return Prune().apply(_Rebuild(plan, scopes.root).run())


class _Rebuild:
    """The new form of one body; `known` maps each mask to its values in that body."""

    def __init__(self, plan: MaskPlan, scope: Scope) -> None:
        self.plan = plan
        self.scope = scope
        self.rewriter = Rewriter(scope.graph)
        self.known: dict[MadeMask, tuple[Value, ...]] = {}

    def run(self) -> Graph:
        for mask, name in self.plan.passed(self.scope).items():
            self.known[mask] = _values(name, mask)
            self.rewriter.inputs += self.known[mask]
        for node in self.scope.graph.nodes:
            for mask in self.plan.read_by(self.scope, node):
                if mask not in self.known:
                    self.make(mask, node)
            if node.regions:
                self.owner(node)
            elif node in self.plan.attention:
                self.attention(node, self.plan.attention[node])
        return self.rewriter.finish()

    def make(self, mask: MadeMask, before: Node) -> None:
        # The first operand of `make_mask` only gives the device; any value of the body does.
        like = mask.controls[0] if mask.controls else self.scope.graph.inputs[0]
        outputs = _values(self.plan.name(self.scope, mask), mask)
        inputs = (like, *mask.controls)
        made = Node(op=mask.op, inputs=inputs, outputs=outputs, scope=self.scope.module, span=mask.span)
        self.rewriter.insert(made, before=before)
        self.known[mask] = outputs

    def attention(self, node: Node, mask: MadeMask) -> None:
        """Let a node take a mask and, where rows may be empty, the rows to keep instead of the controls."""
        assert isinstance(node.op, Attention)
        op = replace(node.op, mask=Given(0, 1 if mask.keep else None))
        self.rewriter.change(node, op=op, inputs=(*node.inputs[: op.first], *self.known[mask]))

    def owner(self, node: Node) -> None:
        """Hand the masks that its regions take to a node."""
        inner = self.scope.inner[node]
        regions = [_Rebuild(self.plan, scope).run() for scope in inner]
        handed = [value for mask in self.plan.passed(inner[0]) for value in self.known[mask]]
        if handed or any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            self.rewriter.change(node, inputs=(*node.inputs, *handed), regions=regions)


def _values(name: str, mask: MadeMask) -> tuple[Value, ...]:
    """New values for the mask and, where rows may be empty, for the rows to keep."""
    names = (name, f"{name.removesuffix('mask')}keep")
    return tuple(Value(hint, type_) for hint, type_ in zip(names, mask.types(), strict=False))
