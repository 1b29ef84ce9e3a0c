"""The two modules that generation runs: one part is computed once, the other at every step."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

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
    # A scalar is no mixture: it holds no rows.
    first, *others = value.type.shape or (rows,)
    mixed = first != rows and bool(first.symbols() & rows.symbols())
    return mixed or any(size.symbols() & rows.symbols() for size in others)


def _part(graph: Graph, word: str, checked: Checked, tensors: Mapping[str, Tensor]) -> GraphPart:
    name = f"{checked.spec.name}-{word}"
    # No memory for parameters: `loaded` puts the given tensors in their place.
    with torch.device("meta"):
        module = class_in(emit_graph(graph, name, checked), name)()
    inputs = tuple(value.name for value in graph.inputs)
    return GraphPart(module=loaded(module, checked.spec.name, tensors), inputs=inputs, outputs=graph.output_names)


def loaded(
    module: nn.Module, name: str, tensors: Mapping[str, Tensor], needed: Collection[str] | None = None
) -> nn.Module:
    """A module in eval mode whose parameters are tensors that it shares.

    Args:
        module: a module on the device `meta`.
        name: the name of the spec.
        tensors: parameters and buffers by name; those that the module does not have are ignored.
        needed: the parameters that are used, with `*` for the number of a layer; others may be missing, and then take
            no memory. All if left out.

    Raises:
        SpecError: E607 if a parameter is missing or has another shape.
    """
    wanted = module.state_dict()
    unused = {one for one in wanted if one not in tensors and needed is not None and _starred(one) not in needed}
    missing = [one for one in wanted if one not in tensors and one not in unused]
    other = [one for one in wanted if one in tensors and tensors[one].shape != wanted[one].shape]
    if missing or other:
        notes = [f"it has no `{one}`" for one in missing[:3]]
        notes += [f"`{one}` is {list(tensors[one].shape)}, not {list(wanted[one].shape)}" for one in other[:3]]
        help = "pass the module that `archspec.compile` returns for this spec"
        fail("E607", f"the parameters do not match `{name}`", None, notes=notes, help=help)
    # Detached, because `requires_grad_(False)` below must not change the parameters of the module they come from.
    given = {one: tensors[one].detach() for one in wanted if one not in unused}
    # Of the dtype and device of the given ones, so that the module stays of one dtype.
    like = next((one for one in given.values() if one.is_floating_point()), torch.empty(0))
    # One element that is expanded: parameters that the step does not use take no memory.
    given |= {one: like.new_zeros(()).expand(wanted[one].shape) for one in unused}
    # Assigned, not copied: both modules have the same memory.
    module.load_state_dict(given, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def _starred(name: str) -> str:
    return re.sub(r"\.\d+(?=\.)", ".*", name)
