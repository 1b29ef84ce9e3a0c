"""The two modules that generation runs: one part is computed once, the other at every step."""

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
    """A module of some of a spec's nodes, which takes `inputs` and returns `outputs`, each in this order."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, from inputs by name; tensors that are not inputs are ignored."""
        result = self.module(*(tensors[name] for name in self.inputs))
        values = result if isinstance(result, tuple) else (result,)
        return dict(zip(self.outputs, values, strict=True))


@record(eq=False)
class Parts:
    """The two parts of a spec: `once` does not depend on the fed-back input, and `step` computes the output.

    `led` are the inputs of `step` whose first axis is the batch. `inside` means that the batch is part of another axis
    of an input, so that single rows cannot be selected.
    """

    once: GraphPart | None
    step: GraphPart
    led: frozenset[str]
    inside: bool


def parts(checked: Checked, decode: Decode, tensors: Mapping[str, Tensor]) -> Parts:
    """Both modules in eval mode.

    Args:
        checked: the spec.
        decode: its `decode` section.
        tensors: parameters and buffers by the names of the spec, which are shared and not copied; others are ignored.

    Raises:
        SpecError: E501, E502 or E503 if the modules cannot be made, E607 if a parameter is missing or has another
            shape.
    """
    spec = checked.spec
    found = cut(with_masks(spec), decode.input, decode.output)
    rows = spec.inputs[decode.input].type.shape[0]
    led = frozenset(value.name for value in found.step.inputs if value.type.rank and value.type.shape[0] == rows)
    inside = any(not rows.is_constant and _holds(value, rows) for value in found.step.inputs)
    once = None if found.once is None else _part(found.once, "once", checked, tensors)
    return Parts(once=once, step=_part(found.step, "step", checked, tensors), led=led, inside=inside)


def _holds(value: Value, rows: Dim) -> bool:
    """Whether the batch is part of a value's size, but is not exactly its first axis."""
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
    # Detached, because `requires_grad_(False)` below must not change the parameters of the module they come from.
    module.load_state_dict({one: tensors[one].detach() for one in wanted}, strict=True, assign=True)
    inputs = tuple(value.name for value in graph.inputs)
    return GraphPart(module=module.eval().requires_grad_(False), inputs=inputs, outputs=graph.output_names)
