"""Export a spec and its weights to a folder with code of its own: the emitted file in a model of transformers."""

from __future__ import annotations

import ast
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.interop.huggingface.exported import WEIGHTS, ExportedFolder, copied
from archspec.interop.huggingface.imported import CONFIG
from archspec.lower.naming import class_name, identifier
from archspec.record import record
from archspec.spec import Spec
from archspec.weights import write_weights

if TYPE_CHECKING:
    from torch import Tensor

_NETWORK = "network"
"""The attribute of the model that holds the emitted module: the first part of every tensor's name."""

_CONFIGURATION = '''"""The configuration of {network}, whose sizes are part of its code."""

from __future__ import annotations

from transformers import PretrainedConfig


class {config}(PretrainedConfig):
    model_type = "{model_type}"
'''

_MODELING = '''"""{network} as a model of transformers: the module of {file}.py, with its outputs by name."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .{configuration} import {config}
from .{file} import {network} as Network


@dataclass
class {output}(ModelOutput):
{fields}


class {model}(PreTrainedModel):
    config_class = {config}
    main_input_name = "{first}"

    def __init__(self, config: {config}) -> None:
        super().__init__(config)
        self.{attribute} = Network()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()

    def forward({parameters}) -> {output}:
        return {output}({star}self.{attribute}({arguments}))
'''


@record
class _Names:
    """The names in the folder, all made from the spec's."""

    file: str
    network: str

    @property
    def configuration(self) -> str:
        return f"configuration_{self.file}"

    @property
    def modeling(self) -> str:
        return f"modeling_{self.file}"

    @property
    def config(self) -> str:
        return f"{self.network}Config"

    @property
    def model(self) -> str:
        return f"{self.network}Model"

    @property
    def model_type(self) -> str:
        # The prefix keeps it apart from the types that transformers knows.
        return f"archspec_{self.file}"


def export_code(
    spec: Spec, source: str, weights: Mapping[str, Tensor], folder: Path, files: Iterable[Path] = ()
) -> ExportedFolder:
    """Write the emitted file, a model of transformers around it, its configuration, the weights and other files.

    `AutoModel.from_pretrained(folder, trust_remote_code=True)` opens it. The model takes the inputs of the spec and
    gives its outputs, both by the spec's names, and computes in float32 as the module does.

    Args:
        spec: the spec.
        source: the file that was emitted from it.
        weights: all tensors under the names of the compiled module.
        folder: an empty folder.
        files: others to copy, such as a tokenizer's.

    Returns:
        the type and the class of the model, both of which only this folder knows.

    Raises:
        SpecError: E523 where the weights cannot be written.
    """
    names = _Names(file=identifier(spec.name).lower(), network=class_name(spec.name))
    texts = {
        CONFIG: json.dumps(_config(names), indent=2) + "\n",
        f"{names.file}.py": source,
        f"{names.configuration}.py": _CONFIGURATION.format(**_words(names)),
        f"{names.modeling}.py": _modeling(spec, source, names),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_weights(folder / WEIGHTS, {f"{_NETWORK}.{name}": weights[name] for name in weights})
    copied(files, folder, (*texts, WEIGHTS))
    return ExportedFolder(model_type=names.model_type, architecture=names.model)


def _config(names: _Names) -> dict[str, object]:
    """The configuration: it only says which code opens the folder."""
    return {
        "architectures": [names.model],
        "auto_map": {
            "AutoConfig": f"{names.configuration}.{names.config}",
            "AutoModel": f"{names.modeling}.{names.model}",
        },
        "dtype": "float32",
        "model_type": names.model_type,
    }


def _words(names: _Names) -> dict[str, str]:
    """The names for a text."""
    return {
        "file": names.file,
        "network": names.network,
        "configuration": names.configuration,
        "config": names.config,
        "model": names.model,
        "model_type": names.model_type,
    }


def _modeling(spec: Spec, source: str, names: _Names) -> str:
    """The file of the model: its `forward` has the arguments of the module's."""
    given = _forward(source, names.network).args
    positional = [one.arg for one in (*given.posonlyargs, *given.args)][1:]
    named = [one.arg for one in given.kwonlyargs]
    fields = [_field(name) for name in spec.graph.output_names]
    return _MODELING.format(
        **_words(names),
        output=f"{names.network}Output",
        fields="\n".join(f"    {field}: Tensor | None = None" for field in fields),
        first=(positional + named)[0],
        attribute=_NETWORK,
        parameters=ast.unparse(given),
        arguments=", ".join([*positional, *(f"{name}={name}" for name in named)]),
        star="*" if len(fields) > 1 else "",
    )


def _forward(source: str, network: str) -> ast.FunctionDef:
    """The method `forward` of the module in an emitted file."""
    classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == network)
    methods = (node for found in classes for node in found.body if isinstance(node, ast.FunctionDef))
    return next(method for method in methods if method.name == "forward")


def _field(output: str) -> str:
    """The attribute for an output: a trailing `_` where a result of transformers has a method of the name."""
    name = identifier(output)
    return f"{name}_" if hasattr(OrderedDict, name) or name == "to_tuple" else name
