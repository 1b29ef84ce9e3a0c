"""Export a spec that is a model type: its configuration read off the spec, its tensors under transformers' names."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import SpecError
from archspec.interop.huggingface.backwards import difference, told_by
from archspec.interop.huggingface.exported import WEIGHTS, ExportedFolder, computed, copied, layout_for, start_key
from archspec.interop.huggingface.generation import write_settings
from archspec.interop.huggingface.imported import CONFIG, Imported, imported
from archspec.interop.huggingface.json_text import read_json
from archspec.interop.huggingface.model_type import MODEL_TYPES, ModelType
from archspec.interop.huggingface.told import Told
from archspec.interop.huggingface.unsaid import in_vocabulary, unsaid
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Shape
from archspec.layouts.parameters import parameter_shapes
from archspec.record import record
from archspec.spec import Spec
from archspec.weights import write_weights
from archspec.weights.apply import check_layout, export_weights

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


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
    if isinstance(found, NoType):
        return found
    try:
        tensors = _named(found, weights, folder)
    except (SpecError, _Refused) as error:
        (folder / CONFIG).unlink()
        reason = str(error) if isinstance(error, _Refused) else f"its tensors: {error.diagnostics[0].message}"
        return NoType(reason=f"{found.architecture} does not take {reason}")
    write_weights(folder / WEIGHTS, tensors)
    config = json.loads((folder / CONFIG).read_bytes())
    settings = write_settings(folder, spec.decode, start_key(spec, found.model_type), config, files)
    copied(files, folder, (CONFIG, WEIGHTS, *settings))
    notes = tuple(unsaid(spec, config, files))
    return ExportedFolder(model_type=found.model_type, architecture=found.architecture, notes=notes)


def _configured(spec: Spec, folder: Path) -> Imported | NoType:
    """Write the first configuration that gives the graph of the spec, and return what it gives.

    Where none does, the nearest class is named, with the first lines that differ.
    """
    file, wanted, nearest = folder / CONFIG, computed(spec), ""
    for kind, architecture in _candidates(spec):
        file.write_text(json.dumps(_values(spec, kind, architecture), indent=2) + "\n", encoding="utf-8")
        try:
            found = imported(read_json(file), None, spec.name, _unsaid(spec, kind))
        except SpecError as error:
            # A value that the type does not take: the spec is of another one.
            reason: str | None = error.diagnostics[0].message
        else:
            reason = difference(wanted, computed(found.spec))
        if reason is None:
            return found
        nearest = nearest or f"; the nearest is {architecture}: {reason}"
    file.unlink(missing_ok=True)
    return NoType(reason=f"it is no model type of `archspec list --types`{nearest}")


def _unsaid(spec: Spec, kind: ModelType) -> dict[str, Any]:
    """The constants of a spec that no key of its type says."""
    told = Told(spec)
    return {path: found for path in kind.unsaid if (found := told.number(path)) is not None}


def _candidates(spec: Spec) -> Iterator[tuple[ModelType, str]]:
    """The types and classes with the inputs and outputs of a spec, those that it says it is of first.

    A class may take fewer inputs than its type. A type comes before those that are made of it.
    """
    inputs, outputs = {value.name for value in spec.graph.inputs}, set(spec.graph.output_names)
    kinds = (kind for kind in MODEL_TYPES.values() if inputs <= set(kind.inputs))
    for kind in sorted(kinds, key=lambda kind: _distance(spec, kind)):
        for name, architecture in kind.architectures.items():
            if set(architecture.outputs) == outputs:
                yield kind, name


def _distance(spec: Spec, kind: ModelType) -> tuple[object, ...]:
    """How far a type is from what a spec says that it is of, for an order."""
    return kind.about != spec.about, kind.base != spec.name, len(type(kind).__mro__), kind.word


def _values(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """The configuration that the spec tells. The original is to compute in float32, as the module does."""
    told = {**told_by(spec, kind, architecture), "model_type": _word(kind)}
    usual = _usual(kind)
    made = {"dtype": "float32", **in_vocabulary(told, usual, _whole(kind))}
    if kind.padding and made.get("pad_token_id", 0) is None and told.get("pad_token_id", 0) is not None:
        # An original that reads the id of padding needs one.
        made["pad_token_id"] = 0
    return made


def _word(kind: ModelType) -> str:
    """The word as transformers spells it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return next(str(name) for name in CONFIG_MAPPING_NAMES if name.replace("-", "_") == kind.word)


def _usual(kind: ModelType) -> dict[str, Any]:
    """The values that transformers takes for keys that a configuration of a type leaves out."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    found: dict[str, Any] = CONFIG_MAPPING[_word(kind)]().to_dict()
    return found


def _whole(kind: ModelType) -> set[str]:
    """The keys that transformers' class takes as integers alone, never null."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return {field.name for field in dataclasses.fields(CONFIG_MAPPING[_word(kind)]) if field.type in (int, "int")}


class _Refused(Exception):
    """What the class of transformers does not take, and why: its configuration, or the tensors that there are."""


def _named(found: Imported, weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """The tensors under the names of the class. Raises _Refused, or SpecError where no layout fits."""
    model, parameters = _made(found.architecture, folder), parameter_shapes(found.spec.graph)
    layout, shapes = _layout(found.spec, parameters, _shapes(model))
    tensors = export_weights(parameters, layout, weights, like=shapes)
    skipped = check_layout(parameters, layout, shapes).skipped
    tensors |= _fixed(model, [name for name in skipped if name not in tensors])
    if drawn := sorted(shapes.keys() - tensors.keys()):
        raise _Refused(f"its tensors: the spec has no `{drawn[0]}`")
    return {name: tensors[name] for name in shapes}


def _made(architecture: str, folder: Path) -> PreTrainedModel:
    """A class of transformers without memory. Raises _Refused where it does not take its configuration."""
    import torch
    import transformers

    made = getattr(transformers, architecture)
    try:
        config = made.config_class.from_pretrained(str(folder), local_files_only=True)
        with torch.device("meta"):
            model: PreTrainedModel = made(config)
    except Exception as error:
        # transformers raises anything for values that it does not take together.
        raise _Refused(f"its configuration: {' '.join(str(error).split())}") from error
    return model


def _shapes(model: PreTrainedModel) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """The tensors in files of a class: those that it ties to no other, and all."""
    every = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name: shape for name, shape in every.items() if name not in model.all_tied_weights_keys}, every


def _layout(
    spec: Spec, parameters: Mapping[str, Shape], shapes: Iterable[dict[str, Shape]]
) -> tuple[Layout, dict[str, Shape]]:
    """The layout of the first set of tensors that one fits, and the set. Raises SpecError E521 where none fits.

    A class takes a tensor that it would tie from a file that holds both.
    """
    errors = []
    for names in shapes:
        try:
            return layout_for(spec, parameters, names), names
        except SpecError as error:
            errors.append(error)
    raise errors[0]


def _fixed(model: PreTrainedModel, names: Iterable[str]) -> dict[str, Tensor]:
    """The tensors of a class that it does not train and computes itself, such as tables of sines."""
    import torch

    parameters, made = dict(model.named_parameters()), {}
    for name in names:
        if name not in parameters or parameters[name].requires_grad:
            continue
        module = model.get_submodule(name.rpartition(".")[0]).to_empty(device="cpu")
        drawn = []
        for filled in (0.0, 1.0):
            # What is drawn, or left as it was, differs the second time.
            tensor = torch.nn.init.constant_(module.get_parameter(name.rpartition(".")[2]), filled)
            model._init_weights(module)
            drawn.append(tensor.detach().clone())
        if torch.equal(*drawn):
            made[name] = drawn[0]
    return made
