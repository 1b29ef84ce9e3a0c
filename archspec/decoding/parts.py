"""The two modules that generation runs: what is computed once, and what is computed at every step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from archspec.algebra.dim import Dim
from archspec.diagnostics import fail
from archspec.ir.graph import Graph, Value
from archspec.lower.emission import emit_graph, with_masks
from archspec.lower.modules import class_in
from archspec.model.checked import Checked
from archspec.passes.cut import cut
from archspec.record import record
from archspec.spec.spec import Decode


@record(eq=False)
class GraphPart:
    """A module of some of a spec's nodes: it takes `inputs` in this order, and gives `outputs`."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, from inputs by name; others are left alone."""
        result = self.module(*(tensors[name] for name in self.inputs))
        values = result if isinstance(result, tuple) else (result,)
        return dict(zip(self.outputs, values, strict=True))


@record(eq=False)
class Parts:
    """`once` computes what does not depend on the fed-back input, `step` the output from that and the input.

    `led` are the inputs of `step` whose first axis is the batch; `inside` says that one has it at another axis, so that
    no rows can be taken out.
    """

    once: GraphPart | None
    step: GraphPart
    led: frozenset[str]
    inside: bool


def parts(checked: Checked, decode: Decode, tensors: Mapping[str, Tensor]) -> Parts:
    """Both modules, in eval mode, on given parameters, which are shared and not copied.

    Raises SpecError E501, E502 or E503 where no module can be had, E607 where the parameters are not the spec's.
    """
    spec = checked.spec
    found = cut(with_masks(spec), decode.input, decode.output)
    rows = spec.inputs[decode.input].type.shape[0]
    led = frozenset(value.name for value in found.step.inputs if value.type.rank and value.type.shape[0] == rows)
    inside = any(not rows.is_constant and _holds(value, rows) for value in found.step.inputs)
    once = None if found.once is None else _part(found.once, "once", checked, tensors)
    return Parts(once=once, step=_part(found.step, "step", checked, tensors), led=led, inside=inside)


def _holds(value: Value, rows: Dim) -> bool:
    """Whether a value has the batch at an axis, but is not led by it."""
    first, *others = value.type.shape or (rows,)
    mixed = first != rows and bool(first.symbols() & rows.symbols())
    return mixed or any(size.symbols() & rows.symbols() for size in others)


def _part(graph: Graph, word: str, checked: Checked, tensors: Mapping[str, Tensor]) -> GraphPart:
    name = f"{checked.spec.name}-{word}"
    with torch.device("meta"):
        module = class_in(emit_graph(graph, name, checked), name)()
    wanted = module.state_dict()
    missing = [one for one in wanted if one not in tensors]
    other = [one for one in wanted if one in tensors and tensors[one].shape != wanted[one].shape]
    if missing or other:
        notes = [f"it has no `{one}`" for one in missing[:3]]
        notes += [f"`{one}` is {list(tensors[one].shape)}, not {list(wanted[one].shape)}" for one in other[:3]]
        help = "pass the module that `archspec.compile` returns for this spec"
        fail("E607", f"the parameters do not match `{checked.spec.name}`", None, notes=notes, help=help)
    # Made of detached tensors: gradients stay with the module that they come from.
    module.load_state_dict({one: tensors[one].detach() for one in wanted}, strict=True, assign=True)
    inputs = tuple(value.name for value in graph.inputs)
    return GraphPart(module=module.eval().requires_grad_(False), inputs=inputs, outputs=graph.output_names)
