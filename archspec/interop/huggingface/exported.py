"""Export a spec and its weights to a folder like one that transformers opens: the same configuration and names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.interop.huggingface.backwards import difference
from archspec.interop.huggingface.generation import GENERATION, write_settings
from archspec.interop.huggingface.imported import CONFIG, import_configuration
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.interop.huggingface.told import APART
from archspec.layouts.layout import Layout
from archspec.layouts.operations import Shape
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.nodes import Entry, TextNode
from archspec.weights import read_weights, write_weights
from archspec.weights.apply import export_weights
from archspec.weights.choose import choose

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"


@record
class ExportedFolder:
    """What was written: the model type, the class of transformers, and what a spec does not say of it."""

    model_type: str
    architecture: str
    notes: tuple[str, ...] = ()


def export_huggingface(
    spec: Spec, weights: Mapping[str, Tensor], folder: Path, like: Path, files: Collection[Path] = ()
) -> ExportedFolder:
    """Write the configuration of another folder, the weights under its names, and other files to an empty folder.

    The configuration is imported first: only where it gives the graph of the spec, anything is written. It is written
    as it is, but for the dtype, which is that of the weights: transformers rounds weights to the dtype that it names.

    Args:
        spec: one with a layout that fits the tensors of `like`.
        weights: all tensors under the names of the compiled module.
        folder: where the files go.
        like: a folder with `config.json` and safetensors, such as the one that the spec was imported from.
        files: others to copy, such as a tokenizer's.

    Returns:
        the type and the architecture.

    Raises:
        SpecError: E810 where the spec is not what the configuration says, E521 where no layout fits the tensors of
            `like`, and as `import_configuration` and `read_weights` do.
    """
    found = import_configuration(like, name=spec.name)
    reason = difference(computed(spec), computed(found.spec))
    if reason is not None:
        help = "choose the folder that the spec was imported from, or one of the same architecture"
        fail("E810", f"`{spec.name}` is not what {like / CONFIG} says", None, notes=[reason], help=help)
    parameters = parameter_shapes(spec.graph)
    with read_weights(like) as opened:
        shapes = opened.shapes
    layout = layout_for(spec, parameters, shapes)
    tensors = export_weights(parameters, layout, weights, like=shapes)
    write_weights(folder / WEIGHTS, tensors)
    (folder / CONFIG).write_bytes(_in_dtype(like / CONFIG, tensors))
    config, others = json.loads((folder / CONFIG).read_bytes()), [like / GENERATION, *files]
    settings = write_settings(folder, spec.decode, start_key(spec, found.model_type), config, others)
    copied(files, folder, (CONFIG, WEIGHTS, *settings))
    return ExportedFolder(model_type=found.model_type, architecture=found.architecture)


def _in_dtype(config: Path, tensors: Mapping[str, Tensor]) -> bytes:
    """A configuration with the dtype of the weights, float32 where they have several; its own bytes where it fits."""
    found = {str(one.dtype).removeprefix("torch.") for one in tensors.values() if one.is_floating_point()}
    dtype = found.pop() if len(found) == 1 else "float32"
    text = config.read_bytes()
    given = json.loads(text)
    made = _with_dtype(given, dtype)
    return text if made == given else (json.dumps(made, indent=2) + "\n").encode()


def _with_dtype(value: Any, dtype: str) -> Any:
    """JSON data whose dtypes, at every depth, are another one; null stays, which says nothing."""
    if not isinstance(value, dict):
        return value
    keys = ("dtype", "torch_dtype")
    return {key: dtype if key in keys and one is not None else _with_dtype(one, dtype) for key, one in value.items()}


def start_key(spec: Spec, model_type: str) -> str:
    """The key of the id that begins a text: that of a decoder beside an encoder, or of every text."""
    fed = None if spec.decode is None else MODEL_TYPES[model_type].inputs.get(spec.decode.input)
    return "decoder_start_token_id" if fed == "decoder_input_ids" else "bos_token_id"


def copied(files: Iterable[Path], folder: Path, written: Collection[str]) -> None:
    """Copy files to a folder, but for those with a name that is written already."""
    for file in files:
        if file.name not in written:
            shutil.copyfile(file, folder / file.name)


def layout_for(spec: Spec, parameters: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> Layout:
    """The layout under which a checkpoint has its names. Raises SpecError E810 for the module's own, E521 for none."""
    layout = choose(layouts(spec), parameters, shapes).layout
    if layout is None:
        fail("E810", f"the folder has the names of `{spec.name}` itself, which transformers does not know", None)
    return layout


def computed(spec: Spec) -> Spec:
    """The spec without its rules, whose values are part of the graph, and under a name that all specs share."""
    entries = tuple(_renamed(one) for one in spec.tree.entries if one.key.value not in APART)
    return elaborate(replace(spec.tree, entries=entries), path=spec.path)


def _renamed(entry: Entry) -> Entry:
    """The entry, with one name for all where it is the name."""
    if entry.key.value != "name" or not isinstance(entry.value, TextNode):
        return entry
    return replace(entry, value=replace(entry.value, value="model"))
