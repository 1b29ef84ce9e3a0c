"""Models of transformers with random weights, saved as folders, beside their imported specs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import archspec
from archspec.interop import import_model
from archspec.interop.huggingface.model_type import MODEL_TYPES, ModelType
from archspec.model.samples import generate
from archspec.spec import Spec
from archspec.spec.claims import claims_of
from tests.parity.models import TOLERANCE, fill


def configuration_class(kind: ModelType) -> Any:
    """The class of transformers that reads a type's configuration."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

    return CONFIG_MAPPING[next(name for name in CONFIG_MAPPING_NAMES if name.replace("-", "_") == kind.word)]


def write_configuration(folder: Path, values: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values, indent=2))
    return folder


def small(kind: ModelType, example: int) -> dict[str, Any]:
    """An example of a type: the small one, or a change of it."""
    first, over = kind.small[0], kind.small[example]
    inner = {name: {**first[name], **over[name]} for name in first.keys() & over.keys() if name.endswith("_config")}
    return {**first, **over, **inner}


def original(kind: ModelType, architecture: str, example: int) -> nn.Module:
    """A small model of transformers, its attention written out, every parameter at random."""
    import transformers

    config = configuration_class(kind)(**small(kind, example))
    made = getattr(transformers, architecture)._from_config(config, attn_implementation="eager")
    for name, buffer in made.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            nn.init.uniform_(buffer, 0.5, 1.5)
    # What is not trained, such as a table of sines, is what the architecture says.
    fixed = {name: one.detach().clone() for name, one in made.named_parameters() if not one.requires_grad}
    fill(made.eval(), example + 3)
    made.load_state_dict(fixed, strict=False)
    return made


def outputs_of(model: nn.Module, kind: ModelType, architecture: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the original gives, by names of the spec."""
    # Masked patches stand in a grid in specs, and in a row in the original.
    rows = {name: value.flatten(1) if name == "masked" else value for name, value in inputs.items()}
    found = model(**{kind.inputs[name]: value for name, value in rows.items()})
    return {ours: getattr(found, theirs) for ours, theirs in kind.architectures[architecture].outputs.items()}


def sizes_of(spec: Spec) -> list[dict[str, int]]:
    """Two sets of sizes: small ones, and for every dim but the leading ones the largest, or 24 steps."""
    rows = {str(one.type.shape[0]) for one in spec.inputs.values()}
    dims = list(spec.dims.values())
    few = {
        dim.name: min(3, dim.max) if dim.name in rows else min(max(dim.min, 5 * dim.multiple), dim.max) for dim in dims
    }
    many = {dim.name: few[dim.name] if dim.name in rows else min(dim.max, 24 * dim.multiple) for dim in dims}
    # Two axes of one image differ, so that one is not taken for the other.
    last = next((dim for dim in reversed(dims) if dim.name not in rows and dim.multiple > 1), None)
    return [few if last is None else {**few, last.name: max(last.min, 2 * last.multiple)}, many]


def padded(kind: ModelType, model: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inputs with the id of padding where a row has none, and nowhere else, for originals that read it."""
    made = dict(inputs)
    for ids, valid in kind.padding.items():
        pad = model.config.pad_token_id
        other = pad + 1 if pad == 0 else pad - 1
        made[ids] = torch.where(inputs[valid], made[ids].masked_fill(made[ids] == pad, other), pad)
    return made


def compared(kind: ModelType, inputs: dict[str, Tensor], found: Tensor) -> Tensor:
    """The part of an output that the original defines: where it reads padding off the ids, the valid positions."""
    for valid in kind.padding.values():
        if found.shape[:2] == inputs[valid].shape:
            return found[inputs[valid]]
    return found


def hold(folder: Path, kind: ModelType, architecture: str, model: nn.Module) -> None:
    """The imported spec with the folder's weights gives what the original gives, at two sizes, with padding."""
    made = import_model(folder)
    assert made.architecture == architecture
    spec_file = folder / "spec.yaml"
    spec_file.write_text(made.text)
    report = archspec.check(spec_file)
    assert not report.diagnostics
    checked = report.accept()
    module = archspec.compile(checked).eval()
    archspec.load_weights(module, checked, folder)
    claims = claims_of(made.spec)
    for seed, sizes in enumerate(sizes_of(made.spec)):
        drawn = {name: torch.from_numpy(x) for name, x in generate(claims, sizes, "right", seed).items()}
        inputs = padded(kind, model, drawn)
        with torch.no_grad():
            ours, theirs = module(**inputs), outputs_of(model, kind, architecture, inputs)
        ours = dict(zip(made.spec.outputs, ours if isinstance(ours, tuple) else (ours,), strict=True))
        assert ours.keys() == theirs.keys()
        for name, wanted in theirs.items():
            mine, given = (compared(kind, inputs, one) for one in (ours[name], wanted))
            torch.testing.assert_close(mine, given, **TOLERANCE)


def types() -> list[str]:
    return sorted(MODEL_TYPES)
