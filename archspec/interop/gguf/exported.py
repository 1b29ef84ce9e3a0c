"""Export a spec and its weights to a GGUF file, and prove that the file says what the spec says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import SpecError, fail
from archspec.interop.gguf.architectures import ARCHITECTURES, SCALING, GgufArchitecture
from archspec.interop.gguf.configuration import configuration
from archspec.interop.gguf.imported import spec_of
from archspec.interop.gguf.integers import IntegerBlocks, StoredWeights, integer_blocks
from archspec.interop.gguf.rotary_factors import llama3_factors, untold
from archspec.interop.huggingface.backwards import difference, differences, values_of
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.ir.storage import Storage
from archspec.layouts.layout import Layout
from archspec.layouts.operations import AddOperation
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.record import record
from archspec.spec import Spec
from archspec.weights.apply import export_weights
from archspec.weights.gguf.header import Value
from archspec.weights.gguf.writing import write_gguf

if TYPE_CHECKING:
    from torch import Tensor

LAYOUT = "gguf"


@record
class ExportedGguf:
    """What was written: the architecture of llama.cpp, the formats of matrices, and what is not as in the bundle."""

    architecture: str
    formats: tuple[str, ...]
    notes: tuple[str, ...]


@record(eq=False)
class _Plan:
    """A file before it is written; read like an open one, so that it can be imported."""

    word: str
    metadata: Mapping[str, Value]
    tensors: Mapping[str, Tensor]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]


def export_gguf(
    spec: Spec,
    weights: Mapping[str, Tensor],
    path: Path,
    format: str,
    storages: Mapping[str, Storage] = MappingProxyType({}),
) -> ExportedGguf:
    """Write a GGUF file of a spec with its weights.

    The metadata are read back, as an import would: only where the same graph comes out, a file is written.

    Args:
        spec: one with a layout `gguf`, its weights floats.
        weights: all tensors under the names of the compiled module, scales beside integers.
        path: the file, whose name ends in `.gguf`.
        format: `F32`, `F16` or `Q8_0`, of matrices of floats.
        storages: the names of those tensors that are integers, and how. With a scale for 32 neighbours or more they
            are written as `Q8_0` or `Q4_0`, and not rounded; others as their values.

    Returns:
        the architecture, the formats, and what the file does not hold.

    Raises:
        SpecError: E809 where the spec is of no architecture of llama.cpp, and those of `write_gguf`.
    """
    layout = next((one for one in layouts(spec) if one.name == LAYOUT), None)
    if layout is None:
        words = ", ".join(dict.fromkeys(known.model_type for known in ARCHITECTURES.values()))
        help = f"an import writes one for {words}, as far as llama.cpp has names for their tensors"
        fail("E809", f"`{spec.name}` has no layout `{LAYOUT}` in `weights`", None, help=help)
    shapes, stored = parameter_shapes(spec.graph), StoredWeights(tensors=weights, storages=storages)
    made = integer_blocks(shapes, layout, stored) if storages else IntegerBlocks()
    names = [name for name in stored.names if name in shapes]
    floats = {name: stored.shape_alone(name) if name in made.ours else stored.values(name) for name in names}
    tensors = export_weights(shapes, layout, floats)
    plan = _planned(spec, tensors, path)
    kept = write_gguf(path, plan.word, plan.metadata, plan.tensors, format, made.blocks)
    formats = dict.fromkeys([*(one.format for one in made.blocks.values()), *([] if made.blocks else [format])])
    notes = [*_notes(layout, kept), *made.notes(storages)]
    if len(names) < len(stored.names):
        notes.append("values that the bundle rounds: activations, or what its cache keeps")
    return ExportedGguf(architecture=plan.word, formats=tuple(formats), notes=tuple(notes))


def _planned(spec: Spec, tensors: Mapping[str, Tensor], path: Path) -> _Plan:
    """Return the file of the one architecture that the spec is of. Raises SpecError E809."""
    reasons: list[tuple[float, str]] = []
    for word, known in ARCHITECTURES.items():
        if (kind := MODEL_TYPES.get(known.model_type)) is None:
            continue
        values = values_of(spec, kind, known.model)
        plan = _plan(word, known, values, tensors, spec.name)
        if (lost := untold(values.get("rope_parameters") or {})) is not None:
            # Of no architecture: each that rotates has the same scalings.
            reasons = [(0, lost)]
            break
        reason = _apart(spec, plan, path)
        if reason is None:
            return plan
        reasons.append((reason[0], f"the nearest is {word}: {reason[1]}"))
    found = f"`{spec.name}` is of no architecture that a GGUF file can name"
    return fail("E809", found, None, notes=[min(reasons, key=lambda one: one[0])[1]])


def _apart(spec: Spec, plan: _Plan, path: Path) -> tuple[float, str] | None:
    """How far an import of the file is from the spec, and where first; None if it makes the same graph."""
    metadata = {"general.architecture": plan.word, **plan.metadata}
    try:
        found = spec_of(configuration(path, metadata, plan), path, None, spec.name).spec
    except SpecError as error:
        return math.inf, error.diagnostics[0].message
    reason = difference(spec, found)
    return None if reason is None else (len(differences(spec, found)), reason)


def _plan(
    word: str, known: GgufArchitecture, values: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str
) -> _Plan:
    """Return the file for a configuration, without asking whether it is right."""
    heads, features = (values.get(known.keys[key]) for key in ("attention.head_count", "embedding_length"))
    size = values.get("head_dim") or (features // heads if features and heads else None)
    rotary = values.get("rope_parameters") or {}
    own = {**values, "head_dim": size, "rope_theta": rotary.get("rope_theta", values.get("rope_theta"))}
    own["num_key_value_heads"] = values.get("num_key_value_heads") or heads
    named = {key: own.get(theirs) for key, theirs in known.keys.items()}
    # The size of values beside that of keys, or neither, as the converter of llama.cpp has it.
    named |= {key: size for key in known.same if "value" not in key or known.same[key] in known.keys}
    if rotary.get("rope_type") in ("linear", "yarn"):
        named |= {key: rotary.get(theirs) for key, theirs in SCALING.items()}
    metadata = {f"{word}.{key}": value for key, value in named.items() if value is not None}
    return _Plan(
        word=word,
        metadata={"general.type": "model", "general.name": name, **metadata},
        tensors={**tensors, **_factors(rotary, size)},
    )


def _factors(rotary: Mapping[str, Any], size: int | None) -> dict[str, Tensor]:
    """Return the tensors that hold the factors of a scaling."""
    import torch

    kind = rotary.get("rope_type")
    if kind == "llama3" and size is not None:
        names = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
        factors = llama3_factors(rotary["rope_theta"], size, *(rotary[name] for name in names))
        return {"rope_freqs.weight": torch.tensor(factors)}
    if kind == "longrope":
        return {f"rope_factors_{name}.weight": torch.tensor(rotary[f"{name}_factor"]) for name in ("long", "short")}
    return {}


def _notes(layout: Layout, kept: tuple[str, ...]) -> list[str]:
    """What the file does not hold as the spec and the bundle do."""
    notes = ["no tokenizer is written: llama.cpp needs one to run the file"]
    if kept:
        notes.append(f"{', '.join(kept[:3])}{' ...' if len(kept) > 3 else ''} in F32: rows are no whole blocks of 32")
    if any(isinstance(step, AddOperation) for line in layout.lines for step in line.operations):
        notes.append("norms are stored with 1 added, in float32: digits below 1e-7 are lost")
    return notes
