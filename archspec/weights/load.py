"""Weights for an architecture, from a file or from tensors in hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.analyses.parameters import expand
from archspec.diagnostics import fail
from archspec.ir.graph import Graph
from archspec.ir.types import DType
from archspec.layouts.layout import Layout
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.layouts.report import also, and_more
from archspec.spec import Spec
from archspec.spec import load as load_spec
from archspec.weights.apply import check_shapes, shapes_of, take
from archspec.weights.choose import choose, named
from archspec.weights.files import read_weights
from archspec.weights.match import match

if TYPE_CHECKING:
    from torch import Tensor


def load(
    spec: Spec | str | Path, weights: str | Path | Mapping[str, Tensor], layout: str | Layout | None = None
) -> dict[str, Tensor]:
    """Weights as the module of `spec` wants them: ready for `module.load_state_dict(..., strict=True)`.

    `weights` is a safetensors file, a folder with one (or with an index of shards), or tensors by name. `layout` is
    one of the spec's, by name; left out, it is the one under which every name matches, and a checkpoint that has the
    module's own names needs none. Tensors keep the dtype that they have.
    Raises SpecError E510 to E524.
    """
    if not isinstance(weights, Mapping):
        with read_weights(weights) as opened:
            return load(spec, opened, layout)
    if not isinstance(spec, Spec):
        spec = load_spec(spec)
    ours, theirs = parameter_shapes(spec.graph), shapes_of(weights)
    if layout is None:
        matched = choose(layouts(spec), ours, theirs)
    else:
        chosen = named(layouts(spec), layout) if isinstance(layout, str) else layout
        matched = match(chosen, ours, theirs)
    check_shapes(matched, ours, theirs)
    made = take(matched, ours, weights)
    _check_floats(spec.graph, made)
    return made


def _check_floats(graph: Graph, tensors: Mapping[str, Tensor]) -> None:
    floats = [name for name, parameter in expand(graph).items() if parameter.type.dtype == DType.FLOAT]
    wrong = [name for name in floats if not tensors[name].is_floating_point()]
    if wrong:
        dtype = str(tensors[wrong[0]].dtype).removeprefix("torch.")
        message = f"{dtype} weights for `{wrong[0]}`{and_more(wrong)}, which holds floats"
        fail("E524", message, None, notes=also(wrong), help="give weights that are not quantised")
