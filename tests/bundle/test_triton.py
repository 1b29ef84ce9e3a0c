"""Configurations are what the published schema of Triton admits, and say of the interface what is so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from onnxruntime import InferenceSession

import archspec
from archspec.bundle.triton import batch_of, configuration, model_name, served
from archspec.bundle.triton_step import ServedStep
from archspec.checking import accepted
from archspec.decoding import decoder
from archspec.diagnostics import SpecError
from archspec.engines.engine import Target
from archspec.engines.profiles import read_profiles
from archspec.engines.program import Program
from archspec.lower.step_programs import step_programs
from archspec.model.ports import interface_of
from archspec.model.written import DimRange, InputPort, WrittenInterface
from tests.steps import steps_here

TEXTS = WrittenInterface(
    dims={"batch": DimRange(min=1, typical=2, max=16), "tokens": DimRange(min=1, typical=12, max=40)},
    inputs={
        "ids": InputPort(type="int64[batch, tokens] < 50"),
        "valid": InputPort(type="bool[batch, tokens]", default=True),
        "step": InputPort(type="int32[batch]"),
    },
    outputs={"states": "float[batch, tokens, 16]", "pooled": "float[batch, 16]"},
).read()
PAIRS = WrittenInterface(
    dims={"texts": DimRange(min=1, typical=2, max=16), "images": DimRange(min=1, typical=2, max=8)},
    inputs={"ids": InputPort(type="int64[texts, 77] < 50"), "pixels": InputPort(type="float[images, 3, 32, 32]")},
    outputs={"logits": "float[images, texts]"},
).read()


@pytest.fixture(scope="module")
def schema() -> ModuleType:
    """The published schema, without the client around it, which wants gRPC."""
    home = importlib.util.find_spec("tritonclient")
    if home is None or not home.submodule_search_locations:
        pytest.skip("tritonclient is not installed")
    path = Path(home.submodule_search_locations[0], "grpc", "model_config_pb2.py")
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("model_config_pb2", module)
    spec.loader.exec_module(module)
    return module


def parsed(schema: ModuleType, text: str) -> Any:
    return text_format.Parse(text, schema.ModelConfig())


def test_a_configuration_by_the_published_schema(schema: ModuleType) -> None:
    found = parsed(schema, configuration("tiny", Target(engine="onnx"), "model.onnx", TEXTS, "float32"))
    assert (found.name, found.platform, found.max_batch_size) == ("tiny", "onnxruntime_onnx", 16)
    assert found.default_model_filename == "model.onnx"
    types = {name: schema.DataType.Value(name) for name in ("TYPE_INT64", "TYPE_INT32", "TYPE_BOOL", "TYPE_FP32")}
    assert [(port.name, port.data_type, list(port.dims)) for port in found.input] == [
        ("ids", types["TYPE_INT64"], [-1]),
        ("valid", types["TYPE_BOOL"], [-1]),
        ("step", types["TYPE_INT32"], [1]),
    ]
    assert found.input[2].HasField("reshape") and list(found.input[2].reshape.shape) == []
    assert not found.input[0].HasField("reshape")
    assert [(port.name, port.data_type, list(port.dims)) for port in found.output] == [
        ("states", types["TYPE_FP32"], [-1, 16]),
        ("pooled", types["TYPE_FP32"], [16]),
    ]


@pytest.mark.parametrize(
    ("target", "file", "platform", "backend", "kind"),
    [
        (Target(engine="openvino"), "model.xml", "", "openvino", "KIND_CPU"),
        (
            Target(engine="tensorrt-rtx", capabilities=("sm89",)),
            "model.engine",
            "tensorrt_plan",
            "",
            "KIND_GPU",
        ),
    ],
)
def test_each_backend(schema: ModuleType, target: Target, file: str, platform: str, backend: str, kind: str) -> None:
    text = configuration("tiny", target, file, TEXTS, "bfloat16")
    found = parsed(schema, text)
    assert (found.platform, found.backend, found.default_model_filename) == (platform, backend, file)
    assert [group.kind for group in found.instance_group] == [schema.ModelInstanceGroup.Kind.Value(kind)]
    assert found.output[0].data_type == schema.DataType.Value("TYPE_BF16")
    assert ("TensorRT-RTX" in text) == (kind == "KIND_GPU")


def test_two_leading_dims_are_told_by_name(schema: ModuleType) -> None:
    text = configuration("pair", Target(engine="onnx"), "model.onnx", PAIRS, "float32")
    assert text.splitlines()[0] == "# no batching by Triton: ids begins with texts, pixels with images"
    found = parsed(schema, text)
    assert found.max_batch_size == 0
    assert [list(port.dims) for port in found.input] == [[-1, 77], [-1, 3, 32, 32]]
    assert [list(port.dims) for port in found.output] == [[-1, -1]]


def test_what_is_no_batch() -> None:
    from_two = TEXTS.narrowed({"batch": (2, 2, 8)})
    assert "not a dim that admits every size from 1" in str(batch_of(from_two))


@pytest.mark.parametrize(
    ("profiles", "largest"),
    [
        (("batch=1:2:4",), 4),
        (("batch=1:2:4", "batch=5:6:8"), 8),
        (("batch=1:2:4", "batch=3:6:7,tokens=1:2:3"), 7),
        (("batch=1", "batch=8"), 1),
        (("batch=2:4:8",), 0),
        ((), 16),
    ],
)
def test_the_largest_batch_is_that_of_the_profiles(profiles: tuple[str, ...], largest: int) -> None:
    read = read_profiles(profiles, TEXTS.symbols)
    program = Program(source=Path("m.py"), module="M", weights=Path("w"), interface=TEXTS, profiles=read)
    text = configuration("tiny", Target(engine="onnx"), "model.onnx", served(program), "float32")
    assert f"max_batch_size: {largest}\n" in text


def test_a_default_is_told_since_triton_fills_in_none() -> None:
    text = configuration("tiny", Target(engine="onnx"), "model.onnx", TEXTS, "float32")
    assert "# valid is required here; its default is bool true" in text


def test_names_that_triton_takes() -> None:
    assert model_name("small/model", Target(engine="onnx"), 1) == "small_model"
    assert model_name("tiny", Target(engine="openvino"), 2) == "tiny-openvino"


def test_what_triton_does_not_serve_is_refused_before_a_build(spec_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.build(spec_file, tmp_path / "bundle", targets=["onnx", "inductor"], layout="triton")
    assert [(found.code, found.message) for found in raised.value.diagnostics] == [
        ("E626", "Triton has no backend for `inductor`")
    ]


@pytest.mark.slow
def test_a_repository_is_a_bundle_too(schema: ModuleType, spec_file: Path, tmp_path: Path) -> None:
    with steps_here():
        bundle = archspec.build(spec_file, tmp_path / "bundle", layout="triton", seed=3)
    assert sorted(path.relative_to(bundle.path).as_posix() for path in (bundle.path / "triton").rglob("*")) == [
        "triton/tiny",
        "triton/tiny/1",
        "triton/tiny/1/model.onnx",
        "triton/tiny/config.pbtxt",
    ]
    assert not (bundle.path / "artifacts").exists()
    assert bundle.manifest.artifacts[0].files == ["triton/tiny/1/model.onnx"]
    assert "triton/tiny/config.pbtxt" in bundle.manifest.files
    found = parsed(schema, (bundle.path / "triton/tiny/config.pbtxt").read_text())
    assert [port.name for port in found.input] == ["ids", "valid"]
    assert bundle.run({"ids": np.ones((2, 3), dtype=np.int64)})["pooled"].shape == (2, 16)
    archspec.open(bundle.path)


DECODER = """\
archspec: 1
name: tiny-decoder
constants: {vocab: 31, d_model: 16}
dims: {batch: [1, 2, 3], length: [1, 12, 20]}
inputs: {ids: "int64[batch, length] < vocab"}
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: {kind: learned, length: 20}}
  states:
    block: decoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, kv_heads: 2, mask: causal & last(6)}
    feed_forward: {hidden: 32, activation: gelu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs: {logits: "float[batch, length, vocab]"}
decode: {input: ids, output: logits, start: none, end: none}
"""


class Server:
    """What Triton is documented to do with a model that has implicit state, in this process.

    The first request of a sequence gets the initial state, every other one what the one before it returned; requests of
    several sequences are put together along the batch axis, which dims leave out.
    """

    def __init__(self, config: Any, file: Path) -> None:
        self.config, self.session = config, InferenceSession(file, providers=["CPUExecutionProvider"])
        self.kept: dict[int, dict[str, Any]] = {}

    def infer(self, requests: dict[int, dict[str, Any]], starts: bool) -> dict[int, Any]:
        """The one output of each request, by sequence."""
        states = self.config.sequence_batching.state
        assert len(requests) <= self.config.max_batch_size
        for number in requests if starts else ():
            empty = {one.input_name: one.initial_state[0] for one in states}
            assert all(one.zero_data for one in empty.values())
            self.kept[number] = {name: np.zeros((1, *one.dims), np.float32) for name, one in empty.items()}
        inputs = {
            port.name: np.concatenate([self._given(one, port) for one in requests.values()])
            for port in self.config.input
        }
        inputs |= {
            one.input_name: np.concatenate([self.kept[number][one.input_name] for number in requests]) for one in states
        }
        (output,) = self.config.output
        names = [output.name, *(one.output_name for one in states)]
        found = dict(zip(names, self.session.run(names, inputs), strict=True))
        for place, number in enumerate(requests):
            for one in states:
                array = found[one.output_name][place : place + 1]
                assert array.shape == (1, *one.dims)
                self.kept[number][one.input_name] = array
        return {number: found[output.name][place] for place, number in enumerate(requests)}

    def _given(self, request: dict[str, Any], port: Any) -> Any:
        """The array of an input with a batch of one, of the shape and dtype that the configuration has."""
        assert set(request) == {one.name for one in self.config.input}
        array = np.array(request[port.name], np.int64)
        dims = [] if port.HasField("reshape") else list(port.dims)
        assert array.ndim == len(dims) and all(want in (-1, size) for want, size in zip(dims, array.shape, strict=True))
        return array[None]


def asked(ids: list[int], past: int) -> dict[str, Any]:
    return {"ids": ids, "past": past, "count": len(ids), "last": len(ids) - 1}


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("gpt2", Target(engine="onnx"), None),
        ("gpt2", Target(engine="openvino"), "Triton's backend keeps no state"),
        ("t5-small", Target(engine="onnx"), "what is made once of further inputs would be sent with every request"),
    ],
)
def test_the_steps_that_triton_can_serve(name: str, target: Target, reason: str | None) -> None:
    checked = accepted(name, reduced=True)
    programs = step_programs(checked)
    assert programs is not None
    step = ServedStep(name=name, programs=programs, whole=interface_of(checked.spec), dtype="float32")
    assert step.unserved(target) == reason


@pytest.mark.parametrize(
    ("mask", "named"),
    [
        ("causal", []),
        ("causal & last(6)", ["count: how many"]),
        ("causal | prefix(3)", ["count: how many", "the first request of a sequence must cover the prefix"]),
    ],
)
def test_what_the_head_of_a_step_says(mask: str, named: list[str], tmp_path: Path) -> None:
    """Every input that a request gives, and that only a first one makes a prefix."""
    (tmp_path / "tiny.yaml").write_text(DECODER.replace("causal & last(6)", mask))
    checked = accepted(tmp_path / "tiny.yaml")
    programs = step_programs(checked)
    assert programs is not None
    step = ServedStep(name="tiny", programs=programs, whole=interface_of(checked.spec), dtype="float32")
    text = step.configuration("tiny-step", Target(engine="onnx"), "model.onnx")
    head = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]
    assert [any(line.startswith(start) for line in head) for start in named] == [True] * len(named)
    assert len(head) == 2 + len(named)
    assert ('name: "count"' in text) == any(start.startswith("count") for start in named)


@pytest.mark.slow
def test_a_step_whose_state_the_server_keeps(schema: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(DECODER)
    with steps_here():
        bundle = archspec.build(tmp_path / "tiny.yaml", tmp_path / "out", layout="triton", seed=3, cache=False)
    folder = bundle.path / "triton" / "tiny-decoder-step"
    assert not (bundle.path / "artifacts").exists()
    (step,) = bundle.manifest.programs[0].artifacts
    assert (step.files, step.verified) == (["triton/tiny-decoder-step/1/model.onnx"], "executed")
    config = parsed(schema, (folder / "config.pbtxt").read_text())
    assert (config.name, config.platform, config.max_batch_size) == ("tiny-decoder-step", "onnxruntime_onnx", 3)
    assert config.sequence_batching.oldest.max_candidate_sequences == 3
    # Keys and values of two layers: two heads of 4, of the last 5 positions.
    assert [list(one.dims) for one in config.sequence_batching.state] == [[2, 5, 4]] * 4
    server = Server(config, folder / "1" / config.default_model_filename)
    prompts = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 30]]
    sequences = [list(prompt) for prompt in prompts]
    logits = {number: server.infer({number: asked(ids, 0)}, starts=True)[number] for number, ids in enumerate(prompts)}
    for _ in range(12):
        for number, row in logits.items():
            # Equal ids may hide a difference: the logits of fresh weights are close to each other.
            full = bundle.run({"ids": np.array([sequences[number]])})["logits"][0, -1]
            np.testing.assert_allclose(row, full, atol=1e-5)
            sequences[number].append(int(row.argmax()))
        requests = {number: asked(ids[-1:], len(ids) - 1) for number, ids in enumerate(sequences)}
        logits = server.infer(requests, starts=False)
    wanted = decoder(bundle, artifact="module").generate(prompts, max_new=12)
    assert [tuple(ids[len(prompt) :]) for ids, prompt in zip(sequences, prompts, strict=True)] == [
        row.ids for row in wanted
    ]
    # Another sequence takes the place of the first: it begins with zeros again.
    again = server.infer({0: asked([8, 9], 0)}, starts=True)[0]
    np.testing.assert_allclose(again, bundle.run({"ids": np.array([[8, 9]])})["logits"][0, -1], atol=1e-5)
