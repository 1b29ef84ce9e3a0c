"""ONNX Runtime GenAI generates from its folder what archspec does, and what it cannot hold is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.bundle.bundle import Bundle
from archspec.bundle.genai import check_genai
from archspec.bundle.genai_trials import genai_contest, opened
from archspec.bundle.genai_verify import verify_genai
from archspec.bundle.parity import float_arrays
from archspec.bundle.report import ParityTrial
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.engines.genai.configuration import token_ids
from archspec.engines.genai.form import genai_form
from archspec.engines.genai.steps import GenaiSteps
from archspec.engines.program import Program
from archspec.spec.claims import load_claims
from tests.steps import steps_here

PROMPTS = [[5, 9, 60], [7, 8, 9, 10, 11, 12], [3]]


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "llama-3.2-1b")]
)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of a family, with weights large enough for logits that differ clearly."""
    folder = tmp_path_factory.mktemp("genai")
    spec = archspec.load(request.param, reduced=True)
    rng = torch.Generator().manual_seed(5)
    state = archspec.compile(spec).state_dict()
    save_file({k: torch.randn(v.shape, generator=rng) * 0.2 for k, v in state.items()}, folder / "w.safetensors")
    (folder / "tokenizer.json").write_text("{}")
    with steps_here():
        return archspec.build(
            spec,
            folder / "bundle",
            weights=folder / "w.safetensors",
            layout="genai",
            files=[folder / "tokenizer.json"],
            cache=False,
        )


def generated(folder: Path, prompts: list[list[int]], total: int) -> list[list[int]]:
    """The ids that the runtime makes of prompts, greedily, in rows of `total` ids with those that fill up prompts."""
    runtime = pytest.importorskip("onnxruntime_genai")
    model = runtime.Model(str(folder))
    options = runtime.GeneratorParams(model)
    options.set_search_options(max_length=total, batch_size=len(prompts))
    generator = runtime.Generator(model, options)
    width = max(map(len, prompts))
    filling = json.loads((folder / "genai_config.json").read_text())["model"]["pad_token_id"]
    generator.append_tokens(np.array([row + [filling] * (width - len(row)) for row in prompts], dtype=np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [[int(id) for id in generator.get_sequence(row)[width:]] for row in range(len(prompts))]


@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS], ids=["one", "ragged"])
def test_the_runtime_generates_what_archspec_does(built: Bundle, prompts: list[list[int]]) -> None:
    found = generated(built.path / "genai", prompts, 14)
    count = 14 - max(map(len, prompts))
    for row, made in zip(archspec.generate(built, prompts, max_new=count), found, strict=True):
        assert list(row.ids) == made[: len(row.ids)]


def test_the_manifest_records_the_folder(built: Bundle) -> None:
    entry = built.manifest.genai
    assert entry is not None and entry.verified == "executed"
    assert entry.files == ["genai/model.onnx", "genai/genai_config.json", "genai/tokenizer.json"]
    trials = [trial for trial in built.report.trials if trial.artifact == "genai"]
    assert [trial.reference for trial in trials] == ["interpreter"]
    assert [one.output for one in trials[0].differences] == ["logits, padded right", "logits, padded left"]
    assert all(one.largest < 1e-5 for trial in trials for one in trial.differences)
    assert "--layout genai" in built.manifest.command and "genai float32" in built.summary()


def test_the_cache_is_joined_to_new_entries_and_to_nothing_else(built: Bundle) -> None:
    graph = onnx.load(built.path / "genai" / "model.onnx").graph
    outputs = {value.name for value in graph.output}
    for value in graph.input[2:]:
        (node,) = (x for x in graph.node if value.name in x.input and x.op_type != "Shape")
        assert node.op_type == "Concat" and node.output[0] in outputs and len(node.input) == 2
        # Keys are never repeated for the heads that share them, nor scaled.
        readers = {x.op_type for x in graph.node if node.output[0] in x.input and x.op_type != "Shape"}
        assert readers == {"Transpose" if value.name.endswith("key") else "MatMul"}


def test_verify_compares_the_steps(built: Bundle) -> None:
    entry = built.manifest.genai
    assert entry is not None
    weights = float_arrays(built.path / built.manifest.weights.path)
    claims = load_claims(built.path / "spec.yaml")
    report = verify_genai(built, entry, claims, weights, few=True, seed=0)
    assert report.holds and all(finding.trials for finding in report.findings)
    name = next(name for name in weights if name.endswith("attention.v.weight"))
    report = verify_genai(built, entry, claims, {**weights, name: weights[name] * 1.1}, few=False, seed=0)
    assert [finding.status for finding in report.findings] == ["violated"] * 2


class Faulty:
    """The artifact with a fault in what it is given or gives."""

    def __init__(self, runner: Any, fault: str) -> None:
        self.runner, self.fault = runner, fault

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        changed = dict(inputs)
        if self.fault == "filled positions are seen":
            changed["attention_mask"] = np.ones_like(inputs["attention_mask"])
        elif self.fault == "stale keys":
            changed |= {name: array * 0 for name, array in inputs.items() if name.endswith("key")}
        found = self.runner.run(changed)
        return {name: array * np.nan for name, array in found.items()} if self.fault == "nan" else found


@pytest.mark.parametrize("fault", ["none", "filled positions are seen", "stale keys", "nan"])
def test_faults_are_found(built: Bundle, fault: str) -> None:
    checked = accepted(built.path / "spec.yaml", unproved=True)
    program = Program(
        source=built.path / "model.py",
        module=built.manifest.module,
        weights=built.path / built.manifest.weights.path,
        interface=built.interface,
    )
    contest = genai_contest(checked, program, "float32", built.path / "genai" / "model.onnx")
    plain = contest.opened

    def opened() -> dict[str, Any]:
        return {how: replace(steps, runner=Faulty(steps.runner, fault)) for how, steps in plain().items()}

    (trial,) = replace(contest, opened=opened).trials()
    assert isinstance(trial, ParityTrial)
    assert [one.allowed("float32") for one in trial.differences] == [fault == "none"] * 2


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_fills_up_chunks(built: Bundle, side: Literal["right", "left"]) -> None:
    """The mask says which ids are positions; each row's own stay in order."""
    given: list[dict[str, Any]] = []

    class Heard:
        def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            given.append(inputs)
            return {name: np.zeros((2, 1, 1)) for name in form.interface.outputs}

    form = genai_form(archspec.load(built.path / "spec.yaml"))
    steps = GenaiSteps(runner=Heard(), form=form, dtype="float32", fed="ids", side=side)
    steps.step(steps.start(2, 9, {}), {"ids": np.array([[1, 2, 3], [4, 5, 6]])}, np.array([2, 0]))
    wanted = [[1, 2, 3], [1, 1, 0]] if side == "right" else [[3, 1, 2], [0, 1, 1]]
    assert [given[0]["input_ids"][0].tolist(), given[0]["attention_mask"][0].tolist()] == wanted
    assert given[0]["attention_mask"][1].tolist() == [0, 0, 0]


def test_a_row_beyond_its_cache(built: Bundle) -> None:
    """The file takes any number of positions: our runner counts them, and the runtime has its context."""
    spec = archspec.load(built.path / "spec.yaml")
    steps = opened(built.path / "genai" / "model.onnx", spec, genai_form(spec), "float32")
    one, state = {"ids": np.zeros((2, 3), np.int64)}, steps.start(2, 4, {})
    # What fills up the chunk of the second row is no position.
    for counts in ([4, 1], [1, -1], [3]):
        with pytest.raises(ValueError, match=r"^counts must be from 0 to 3 for each row, not \["):
            steps.step(state, one, np.array(counts))
    _, state = steps.step(state, one, np.array([3, 1]))
    _, state = steps.step(state, one, np.array([1, 3]))
    with pytest.raises(ValueError, match=r"^a row has 5 positions, but its cache takes 4$"):
        steps.step(state, one, np.array([0, 1]))
    most = spec.dims["length"].max
    with pytest.raises(Exception, match=rf"max_length \({most + 1}\) cannot be greater than model context_length"):
        generated(built.path / "genai", PROMPTS[:1], most + 1)


def messages(spec: Any, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as refused:
        archspec.build(spec, "never", layout="genai", **options)
    return [f"{one.code}: {one.message}" for one in refused.value.diagnostics]


LATENT = """\
archspec: 1
name: latent
extends: gpt2
graph:
  source: {positions: none}
  states: {attention: {head_dim: 12, latent: {query: 8, key_value: 6, rotary: 4}, positions: ROTARY, BIAS}}
"""


def test_what_the_runtime_cannot_hold_is_refused_by_name() -> None:
    cannot = "E627: ONNX Runtime GenAI cannot run"
    small = archspec.load("t5-small", reduced=True)
    assert messages(small) == [
        f"{cannot} `t5-small`: each step reads the input `src_valid`, but the runtime feeds only ids",
        *(
            f"{cannot} `t5-small`: `states.layers.*.cross_attention.{part}`, float[2, batch, 4, src, 6], is computed "
            "once before the first step, as from an encoder"
            for part in "kv"
        ),
    ]
    assert messages(archspec.load("prefix-lm-base", reduced=True))[-1] == (
        f"{cannot} `prefix-lm-base`: the mask has a prefix, which the first step would have to cover"
    )
    assert messages(archspec.load("bert-base", reduced=True)) == [
        f"{cannot} `bert-base`: the spec has no `decode`, so it is unknown which output is fed back"
    ]
    banned = archspec.load("gpt2", reduced=True, set=["decode.ban=[3]"])
    assert messages(banned) == [
        f"{cannot} `gpt2`: `ban` of `decode` lists ids (3), but `genai_config.json` has no such list"
    ]
    with pytest.raises(SpecError) as refused:
        check_genai(accepted(banned), "bfloat16", ())
    assert str(refused.value.diagnostics[0].message).startswith("`--layout genai` does not support bfloat16")


@pytest.mark.parametrize(("bias", "kept"), [("[out]", "latent"), ("[v]", "k")], ids=["latents", "heads"])
def test_latents_are_refused(bias: str, kept: str, tmp_path: Path) -> None:
    text = LATENT.replace("ROTARY", "{kind: rotary, layout: half}").replace("BIAS", f"bias: {bias}")
    (tmp_path / "latent.yaml").write_text(text)
    with pytest.raises(SpecError) as refused:
        genai_form(archspec.load(tmp_path / "latent.yaml", reduced=True))
    (message,) = (one.message for one in refused.value.diagnostics)
    assert message.startswith(
        f"ONNX Runtime GenAI cannot run `latent`: a layer keeps `states.layers.*.attention.{kept}`"
    )
    assert message.endswith("but the runtime keeps a key and a value of one type, [rows, heads, positions, size]")


def test_windows_are_held_and_layers_numbered_in_order() -> None:
    form = genai_form(archspec.load("gemma-2-2b", reduced=True))
    assert form.layers == 2
    assert [stack.slots[0].past for stack in form.stacks] == [
        *(f"past_key_values.0.{part}" for part in ("value", "key")),
        *(f"past_key_values.1.{part}" for part in ("value", "key")),
    ]


def test_ids_of_a_configuration() -> None:
    assert token_ids(archspec.load("gemma-2-2b")) == {"eos_token_id": [1], "pad_token_id": 1, "bos_token_id": 2}
    assert token_ids(archspec.load("llama-3.2-1b", reduced=True)) == {"eos_token_id": [], "pad_token_id": 0}


def test_a_carried_file_does_not_replace_one_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "genai_config.json").write_text("{}")
    found = messages(archspec.load("gpt2", reduced=True), files=[tmp_path / "genai_config.json"])
    assert found == ["E721: `genai_config.json` is the name of a file in `genai`"]
