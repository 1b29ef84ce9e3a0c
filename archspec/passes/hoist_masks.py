"""Make each mask once, outside the layers that use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op
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
    """The copy of one body; `known` maps each mask to its values in that body."""

    def __init__(self, plan: MaskPlan, scope: Scope) -> None:
        self.plan = plan
        self.scope = scope
        self.copy = Rewriter(scope.graph)
        self.known: dict[MadeMask, tuple[Value, ...]] = {}

    def run(self) -> Graph:
        for mask, name in self.plan.passed(self.scope).items():
            self.known[mask] = _values(name, mask)
            self.copy.inputs += self.known[mask]
        for node in self.scope.graph.nodes:
            for mask in self.plan.read_by(self.scope, node):
                if mask not in self.known:
                    self.make(mask)
            self.node(node)
        return self.copy.finish()

    def make(self, mask: MadeMask) -> None:
        # The first operand of `make_mask` only gives the device; any value of the body does.
        like = mask.controls[0] if mask.controls else self.scope.graph.inputs[0]
        outputs = _values(self.plan.name(self.scope, mask), mask)
        inputs = self.copy.operands((like, *mask.controls))
        scope = self.scope.module
        self.copy.nodes.append(Node(op=mask.op, inputs=inputs, outputs=outputs, scope=scope, span=mask.span))
        self.known[mask] = outputs

    def node(self, node: Node) -> None:
        inputs = list(self.copy.operands(node.inputs))
        op: Op = node.op
        mask = self.plan.attention.get(node)
        if mask is not None and isinstance(op, Attention):
            op = replace(op, mask=Given(0, 1 if mask.keep else None))
            # The controls are replaced by the mask and, where rows may be empty, the rows to keep.
            inputs[op.first :] = self.known[mask]
        inner = self.scope.inner.get(node, ())
        regions = [_Rebuild(self.plan, scope).run() for scope in inner]
        for found in self.plan.passed(inner[0]) if inner else ():
            inputs += self.known[found]
        self.copy.add(node, inputs, op=op, regions=regions)


def _values(name: str, mask: MadeMask) -> tuple[Value, ...]:
    """New values for the mask and, where rows may be empty, for the rows to keep."""
    names = (name, f"{name.removesuffix('mask')}keep")
    return tuple(Value(hint, type_) for hint, type_ in zip(names, mask.types(), strict=False))
