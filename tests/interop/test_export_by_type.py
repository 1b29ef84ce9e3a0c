"""A spec that is a model type is written as transformers' own class: nothing is drawn, nothing is guessed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archspec
from archspec.diagnostics import SpecError
from archspec.interop.huggingface import by_type
from archspec.interop.huggingface.backwards import difference, values_of
from archspec.interop.huggingface.by_type import NoType, export_type
from archspec.interop.huggingface.exported import computed
from archspec.interop.huggingface.imported import import_configuration, imported
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.key_table import KeyTable, NestedKey
from archspec.interop.huggingface.keys import ACTIVATIONS, InertKey, MustKey
from archspec.interop.huggingface.model_type import MODEL_TYPES, ModelType
from archspec.model.samples import generate
from archspec.spec import Spec, load
from archspec.spec.claims import claims_of
from archspec.spec.shipped import shipped_specs_dir
from archspec.weights.load import load_from
from tests.interop.originals import (
    compared,
    configuration_class,
    original,
    outputs_of,
    padded,
    sizes_of,
    small,
    types,
    write_configuration,
)
from tests.parity.models import TOLERANCE

transformers = pytest.importorskip("transformers")

SAID_BY_OTHERS = frozenset({"max_window_layers"})
"""Keys that are not read where `layer_types` lists every layer, as an exported configuration does."""
CLASSES = [(word, name) for word in types() for name in MODEL_TYPES[word].architectures]


def is_first(word: str, architecture: str) -> bool:
    """Whether a class is the one that the base of its type is."""
    return next(iter(MODEL_TYPES[word].architectures)) == architecture


def cases() -> Iterator[Any]:
    """Every class; all but the first of each type take the slow run."""
    for word, name in CLASSES:
        yield pytest.param(word, name, marks=() if is_first(word, name) else pytest.mark.slow)


def examples() -> Iterator[Any]:
    """Every example of every class; beyond the first, other classes than the first of a type tell little more."""
    for word, name in CLASSES:
        for example in range(len(MODEL_TYPES[word].small)):
            is_long = not is_first(word, name) and example > 0
            yield pytest.param(word, name, example, marks=[pytest.mark.slow, pytest.mark.long] if is_long else ())


@pytest.mark.parametrize(("word", "architecture", "example"), list(examples()))
def test_a_configuration_is_read_off_its_spec(word: str, architecture: str, example: int, tmp_path: Path) -> None:
    kind = MODEL_TYPES[word]
    first, second = tmp_path / "first", tmp_path / "second"
    values = json.loads(configuration_class(kind)(**small(kind, example)).to_json_string(use_diff=False))
    wanted = import_configuration(write_configuration(first, values), architecture=architecture).spec
    write_configuration(second, by_type._values(wanted, kind, architecture))
    found = import_configuration(second, name=wanted.name)
    assert found.architecture == architecture
    assert difference(computed(wanted), computed(found.spec)) is None
    assert [str(one) for one in (found.spec.decode, *found.spec.rules)] == [
        str(one) for one in (wanted.decode, *wanted.rules)
    ]


def decimal_keys(table: KeyTable, made: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The keys that transformers' class takes as decimal numbers alone, each with its inner configuration."""
    for name, key in table.keys.items():
        if isinstance(key, NestedKey):
            yield from decimal_keys(key.table, made.sub_configs[name], name)
        elif not isinstance(key, InertKey | MustKey):
            kinds = str(next((one.type for one in dataclasses.fields(made) if one.name == name), ""))
            if "float" in kinds and "int" not in kinds:
                yield prefix, name


def whole(kind: ModelType, architecture: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A small configuration whose decimal keys are whole numbers where the type takes any; and those keys."""
    values = json.loads(configuration_class(kind)(**small(kind, 0)).to_json_string(use_diff=False))
    values = {**values, "architectures": [architecture]}
    changed = []
    for prefix, name in decimal_keys(kind.table(kind.architectures[architecture]), configuration_class(kind)):
        for number in (3, 1, 0):
            made = {**values, **({prefix: {**values[prefix], name: number}} if prefix else {name: number})}
            try:
                imported(given(made), None, "whole")
            except SpecError:
                continue
            values = made
            changed.append((prefix, name))
            break
    return values, changed


def given(values: Any, name: str = "config.json") -> JsonValue:
    members = {key: given(one, key) for key, one in values.items()} if isinstance(values, dict) else {}
    return JsonValue(name=name, value=values, members=members)


@pytest.mark.parametrize("word", types())
def test_whole_numbers_come_back_as_decimal_ones(word: str) -> None:
    kind = MODEL_TYPES[word]
    architecture = next(iter(kind.architectures))
    values, changed = whole(kind, architecture)
    found = by_type._values(imported(given(values), None, "whole").spec, kind, architecture)
    for prefix, name in changed:
        inner, wanted = (one[prefix] if prefix else one for one in (found, values))
        if name in inner:
            assert type(inner[name]) is float, name
            assert inner[name] == wanted[name], name
    config = configuration_class(kind)(**found).get_text_config(decoder=True).to_dict()
    ids = {name: one for name, one in config.items() if name.endswith("_token_id") and isinstance(one, int)}
    assert {name: one for name, one in ids.items() if not 0 <= one < config.get("vocab_size", 1e9)} == {}


@pytest.mark.parametrize(("word", "architecture"), list(cases()))
def test_the_class_takes_every_tensor_and_draws_none(word: str, architecture: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    model: Any = original(MODEL_TYPES[word], architecture, 0)
    model.save_pretrained(first)
    (tmp_path / "spec.yaml").write_text(import_configuration(first).text)
    spec = load(tmp_path / "spec.yaml")
    made = export_type(spec, load_from(spec, first).tensors, second)
    assert not isinstance(made, NoType), made
    assert (made.architecture, made.model_type) == (architecture, word)
    found, told = getattr(transformers, architecture).from_pretrained(second, output_loading_info=True)
    assert not any(told.values()), told
    wanted = model.state_dict()
    assert found.state_dict().keys() == wanted.keys()
    for name, tensor in found.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    kind = MODEL_TYPES[word]
    changed = changed_keys(kind.table(kind.architectures[architecture]), model.config.to_dict(), found.config.to_dict())
    assert changed <= SAID_BY_OTHERS
    same_outputs(spec, kind, architecture, model, found.eval())


def changed_keys(table: KeyTable, before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The keys with other values, but for those without effect."""
    changed = set()
    for name, key in table.keys.items():
        if isinstance(key, NestedKey):
            changed |= changed_keys(key.table, before[name], after[name])
        elif not isinstance(key, InertKey) and not is_same(before.get(name), after.get(name)):
            changed.add(name)
    return changed


def same_outputs(spec: Spec, kind: ModelType, architecture: str, model: nn.Module, found: nn.Module) -> None:
    """Both give the same outputs."""
    drawn = generate(claims_of(spec), sizes_of(spec)[0], "right", 0)
    inputs = padded(kind, model, {name: torch.from_numpy(x) for name, x in drawn.items()})
    with torch.no_grad():
        wanted, given = (outputs_of(one, kind, architecture, inputs) for one in (model, found))
    for name in wanted:
        torch.testing.assert_close(*(compared(kind, inputs, one[name]) for one in (given, wanted)), **TOLERANCE)


def is_same(before: object, after: object) -> bool:
    """Whether two values say the same: null may be written out, and functions have several names."""
    if before is None or before == after:
        return True
    return str(before) in ACTIVATIONS and ACTIVATIONS[str(before)] == ACTIVATIONS.get(str(after))


def refused(source: str, folder: Path, changes: tuple[str, ...] = ()) -> str:
    """Why a reduced shipped spec is not written; the folder stays empty."""
    spec = load(source, set=changes, reduced=True)
    weights = {name: one.detach() for name, one in archspec.compile(spec, unproved=True).state_dict().items()}
    made = export_type(spec, weights, folder)
    assert isinstance(made, NoType)
    assert not list(folder.iterdir())
    return made.reason


WHISPER, DEEPSEEK = "WhisperForConditionalGeneration", "DeepseekV3ForCausalLM"
UNTIED = (
    "graph.logits={block: lm_head, input: states, vocab: vocab}",
    *(f"graph.{stack}.feed_forward.gated=true" for stack in ("memory", "states")),
)
EDITED = [
    ("bart-base", ("constants.d_ff=56", "graph.states.layers=3"), "BartForConditionalGeneration"),
    ("opus-mt-en-de", ("constants.layers=1", "graph.states.feed_forward.hidden=24"), "MarianMTModel"),
    (
        "whisper-tiny",
        ("graph.states.attention.heads=2", "graph.states.cross_attention.heads=2"),
        "WhisperForConditionalGeneration",
    ),
    ("t5-small", ("graph.states.layers=3", "constants.head_dim=10"), "T5ForConditionalGeneration"),
    ("t5-small", UNTIED, "T5ForConditionalGeneration"),
    ("clip-vit-b32", ("constants.image_hidden=24", "graph.logit_scale.init=1.5"), "CLIPModel"),
    ("siglip-base", ("constants.text_heads=2", "constants.text_hidden=24"), "SiglipModel"),
    ("swin-t", ("graph.stage2.layers=4", "blocks.stage.graph.y.feed_forward.hidden=2*d"), "SwinForImageClassification"),
    ("convnext-tiny", ("graph.down3.1.channels=20", "graph.stage4.repeat=1"), "ConvNextForImageClassification"),
    ("resnet-50", ("graph.stage3.channels=24", "constants.layers=1"), "ResNetForImageClassification"),
    ("dinov2-small", ("graph.states.feed_forward.activation=relu", "constants.d_ff=2*d_model"), "Dinov2Model"),
    ("dinov3-small", ("graph.states.attention.positions.base=30", "constants.registers=2"), "DINOv3ViTModel"),
    ("ast-base", ("constants.stride=3", "graph.states.feed_forward.activation=silu"), "ASTForAudioClassification"),
    ("gpt-neo-125m", ("graph.states.pattern=[local, global]", "constants.window=4"), "GPTNeoForCausalLM"),
    (
        "deepseek-v3",
        ("constants.groups=2", "graph.states.pattern={start: [dense], repeat: [sparse]}"),
        "DeepseekV3ForCausalLM",
    ),
]


@pytest.mark.parametrize(("source", "changes", "architecture"), EDITED)
def test_an_edited_spec_is_still_of_its_type(
    source: str, changes: tuple[str, ...], architecture: str, tmp_path: Path
) -> None:
    spec = load(source, set=changes, reduced=True)
    module = archspec.compile(spec, unproved=True).eval()
    made = export_type(spec, {name: one.detach() for name, one in module.state_dict().items()}, tmp_path)
    assert not isinstance(made, NoType), made
    assert made.architecture == architecture
    found = getattr(transformers, architecture).from_pretrained(tmp_path).eval()
    kind = MODEL_TYPES[made.model_type]
    inputs = {name: torch.from_numpy(x) for name, x in generate(claims_of(spec), sizes_of(spec)[0], "right", 0).items()}
    with torch.no_grad():
        ours, theirs = module(**inputs), outputs_of(found, kind, architecture, inputs)
    ours = dict(zip(spec.outputs, ours if isinstance(ours, tuple) else (ours,), strict=True))
    for name, wanted in theirs.items():
        torch.testing.assert_close(ours[name], wanted, **TOLERANCE)


@pytest.mark.parametrize(
    ("source", "changes", "nearest"),
    [
        ("gated-attention", (), None),
        ("bert-base", ("defaults.norm=rms_norm",), "BertModel"),
        ("bart-base", ("graph.states.feed_forward.activation=relu",), "BartForConditionalGeneration"),
        ("whisper-tiny", ("graph.states.attention.bias=false",), WHISPER),
        ("t5-small", ("graph.states.attention.positions.buckets=8",), "T5ForConditionalGeneration"),
        ("clip-vit-b32", ("graph.text_states.final_norm=false",), "CLIPModel"),
        ("swin-t", ("graph.stage2.window=1",), "SwinForImageClassification"),
        ("resnet-50", ("graph.stage2.stride=1",), "ResNetForImageClassification"),
        ("dinov2-small", ("constants.d_ff=50",), "Dinov2Model"),
        ("deepseek-v3", ("graph.states.attention.scale=1",), DEEPSEEK),
    ],
)
def test_what_no_configuration_says_is_refused(
    source: str, changes: tuple[str, ...], nearest: str | None, tmp_path: Path
) -> None:
    reason = refused(source, tmp_path, changes)
    assert reason.startswith("it is no model type of `archspec list --types`")
    assert (f"; the nearest is {nearest}: `" in reason) is (nearest is not None)


def test_any_spec_is_read_as_any_type() -> None:
    """What a type finds at its paths in a spec of another one is never what stops an export."""
    for file in sorted(shipped_specs_dir().glob("*.yaml"))[::9]:
        spec = load(file)
        for kind in MODEL_TYPES.values():
            for architecture in kind.architectures:
                assert values_of(spec, kind, architecture)["architectures"] == [architecture]


def test_a_class_with_a_tensor_that_the_spec_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = by_type._shapes
    added = {"embeddings.position_ids": (1, 24)}
    monkeypatch.setattr(by_type, "_shapes", lambda model: tuple({**one, **added} for one in shapes(model)))
    reason = "BertModel does not take its tensors: the spec has no `embeddings.position_ids`"
    assert refused("bert-base", tmp_path) == reason


def test_a_class_that_refuses_its_configuration_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = by_type._values
    monkeypatch.setattr(by_type, "_values", lambda *of: {**values(*of), "initializer_range": "small"})
    reason = refused("bert-base", tmp_path)
    assert reason.startswith(
        "BertModel does not take its configuration: Validation error for field 'initializer_range':"
    )
    assert "expected float, got str" in reason
    assert "\n" not in reason


@pytest.mark.parametrize("scaling", [{"rope_type": "linear", "factor": 4}, {"rope_type": "yarn", "factor": 4}])
def test_the_factors_of_a_scaling_are_decimal(scaling: dict[str, Any]) -> None:
    kind = MODEL_TYPES["llama"]
    values = json.loads(configuration_class(kind)(**small(kind, 0)).to_json_string(use_diff=False))
    values |= {"rope_parameters": {"rope_theta": 10000, "original_max_position_embeddings": 6, **scaling}}
    if scaling["rope_type"] == "linear":
        del values["rope_parameters"]["original_max_position_embeddings"]
    spec = imported(given(values), "LlamaForCausalLM", "scaled").spec
    told = by_type._values(spec, kind, "LlamaForCausalLM")["rope_parameters"]
    assert [type(told[name]) for name in ("factor", "rope_theta")] == [float, float]
