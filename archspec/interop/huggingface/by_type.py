"""Export a spec that is a model type: its configuration read off the spec, its tensors under transformers' names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import SpecError
from archspec.interop.huggingface.backwards import difference, told_by
from archspec.interop.huggingface.exported import WEIGHTS, ExportedFolder, computed, copied, layout_for, start_key
from archspec.interop.huggingface.generation import write_settings
from archspec.interop.huggingface.imported import CONFIG, Imported, import_configuration
from archspec.interop.huggingface.model_type import MODEL_TYPES, ModelType
from archspec.layouts.operations import Shape
from archspec.layouts.parameters import parameter_shapes
from archspec.record import record
from archspec.spec import Spec
from archspec.weights import write_weights
from archspec.weights.apply import export_weights

if TYPE_CHECKING:
    from torch import Tensor


@record
class NoType:
    """Why a spec was not written as a model type."""

    reason: str


def export_type(
    spec: Spec, weights: Mapping[str, Tensor], folder: Path, files: Collection[Path] = ()
) -> ExportedFolder | NoType:
    """Write the configuration of the model type that a spec is, and the weights under the names of its class.

    A configuration is a guess until it is imported: only one that gives the graph of the spec is kept. The names are
    those of transformers' class, made without memory; every tensor that it has is written, so that it draws none.

    Args:
        spec: the spec.
        weights: all tensors under the names of the compiled module.
        folder: an empty folder, which stays empty where nothing is written.
        files: others to copy, such as a tokenizer's.

    Returns:
        the type and the class, or why there is none.
    """
    if find_spec("transformers") is None:
        return NoType(reason="transformers, which knows the names of its tensors, is not installed")
    found = _configured(spec, folder)
    if found is None:
        return NoType(reason="it is no model type of `archspec list --types` that can be read backwards")
    try:
        tensors = _named(found, weights, folder)
    except (SpecError, _Unnamed) as error:
        (folder / CONFIG).unlink()
        return NoType(reason=f"{found.architecture} does not take its tensors: {str(error).splitlines()[0]}")
    write_weights(folder / WEIGHTS, tensors)
    config = json.loads((folder / CONFIG).read_bytes())
    settings = write_settings(folder, spec.decode, start_key(spec, found.model_type), config, files)
    copied(files, folder, (CONFIG, WEIGHTS, *settings))
    return ExportedFolder(model_type=found.model_type, architecture=found.architecture)


def _configured(spec: Spec, folder: Path) -> Imported | None:
    """Write the first configuration that gives the graph of the spec, and return what it gives; None for none."""
    file, wanted = folder / CONFIG, computed(spec)
    for kind, architecture in _candidates(spec):
        file.write_text(json.dumps(_values(spec, kind, architecture), indent=2) + "\n", encoding="utf-8")
        try:
            found = import_configuration(file, name=spec.name)
            if difference(wanted, computed(found.spec)) is None:
                return found
        except SpecError:
            # A value that the type does not take: the spec is of another one.
            continue
    file.unlink(missing_ok=True)
    return None


def _candidates(spec: Spec) -> Iterator[tuple[ModelType, str]]:
    """The types and classes with the inputs and outputs of a spec, those that it says it is of first."""
    inputs, outputs = {value.name for value in spec.graph.inputs}, set(spec.graph.output_names)
    kinds = (kind for kind in MODEL_TYPES.values() if inputs == set(kind.inputs))
    for kind in sorted(kinds, key=lambda kind: (kind.about != spec.about, kind.base != spec.name, kind.word)):
        for name, architecture in kind.architectures.items():
            if set(architecture.outputs) == outputs:
                yield kind, name


def _values(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """The configuration that the spec tells. The original is to compute in float32, as the module does."""
    told = {**told_by(spec, kind, architecture), "model_type": _word(kind)}
    if (told.get("pad_token_id", kind.defaults.get("pad_token_id")) or 0) >= told.get("vocab_size", 1):
        # transformers refuses an id of padding that is no token.
        told["pad_token_id"] = None
    return {"dtype": "float32", **{name: _typed(one, kind.defaults.get(name)) for name, one in told.items()}}


def _typed(value: Any, default: Any) -> Any:
    """A whole number as a decimal one where the default is one: transformers compares the types."""
    return float(value) if isinstance(default, float) and type(value) is int else value


def _word(kind: ModelType) -> str:
    """The word as transformers spells it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return next(str(name) for name in CONFIG_MAPPING_NAMES if name.replace("-", "_") == kind.word)


class _Unnamed(Exception):
    """The class of transformers cannot be made, or has tensors that the spec lacks."""


def _named(found: Imported, weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """The tensors under the names of the class. Raises _Unnamed, or SpecError where no layout fits."""
    shapes, parameters = _shapes(found.architecture, folder), parameter_shapes(found.spec.graph)
    layout = layout_for(found.spec, parameters, shapes)
    tensors = export_weights(parameters, layout, weights, like=shapes)
    if drawn := sorted(shapes.keys() - tensors.keys()):
        raise _Unnamed(f"the spec has no `{drawn[0]}`")
    return {name: tensors[name] for name in shapes}


def _shapes(architecture: str, folder: Path) -> dict[str, Shape]:
    """The tensors in files of a class of transformers. Raises _Unnamed where it does not take its configuration."""
    import torch
    import transformers

    made = getattr(transformers, architecture)
    try:
        config = made.config_class.from_pretrained(str(folder), local_files_only=True)
        with torch.device("meta"):
            model = made(config)
    except Exception as error:
        # transformers raises anything for values that it does not take together.
        raise _Unnamed(f"{type(error).__name__}: {error}") from error
    tied = model.all_tied_weights_keys
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name not in tied}
