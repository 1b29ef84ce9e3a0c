"""The built step of a decoder: equal to the full forward at every position, and what `generate` on a bundle runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import archspec
from archspec.bundle import step_artifacts
from archspec.bundle.choice import choose
from archspec.bundle.parity import float_arrays
from archspec.bundle.report import BundleReport, OutputDifference, ParityTrial, Timing, step_of
from archspec.bundle.step_parity import StepContest, built_steps
from archspec.bundle.step_targets import build_steps
from archspec.bundle.step_verify import verify_steps
from archspec.bundle.step_work import BuiltProgram, StepWork
from archspec.bundle.timing import ROUNDS, RUNS
from archspec.checking import accepted
from archspec.cli import cli
from archspec.decoding import decoder
from archspec.decoding.beams import BeamSearch
from archspec.diagnostics import Collector, SpecError, fail
from archspec.engines.build import BuiltArtifact
from archspec.engines.engine import Target
from archspec.engines.program import Program
from archspec.engines.step_cache import StepCache
from archspec.engines.step_parts import parts
from archspec.engines.steps import BuiltSteps, open_steps
from archspec.engines.targets.onnx import Onnx
from archspec.lower.emission import emit
from archspec.lower.modules import compile
from archspec.lower.naming import class_name
from archspec.lower.step_programs import StepPrograms, step_programs
from archspec.model.ports import interface_of
from archspec.model.runner import Array, Arrays
from archspec.spec.claims import load_claims
from tests.editing import edited
from tests.mutation.shipped import left_to_long
from tests.steps import steps_here

TINY = """\
archspec: 1
name: tiny-decoder
constants: {vocab: 50, d_model: 32}
dims: {batch: [1, 2, 8], length: [1, 12, 32]}
inputs: {ids: "int64[batch, length] < vocab"}
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model, positions: {kind: learned, length: 32}}
  states:
    block: decoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, kv_heads: 2, mask: causal}
    feed_forward: {hidden: 32, activation: gelu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs: {logits: "float[batch, length, vocab]"}
decode: {input: ids, output: logits, start: none, end: none}
"""
LATENTS = TINY.replace(", positions: {kind: learned, length: 32}", "").replace(
    "{heads: 4, kv_heads: 2, mask: causal}",
    "{heads: 4, head_dim: 12, value_dim: 10, mask: MASK, bias: [out], latent: {query: 8, key_value: 16, rotary: 4}, "
    "positions: {kind: rotary, layout: LAYOUT}}",
)
"""Attention that keeps latents, 16 features and 4 rotated ones a position."""
LAYOUTS = {"causal": "interleaved", "last(5)": "half"}
"""A layout of rotary positions for each mask."""
ONNX = Target(engine="onnx")


def latents(folder: Path, mask: str) -> Path:
    """The file of a decoder that keeps latents."""
    path = folder / "latents.yaml"
    path.write_text(LATENTS.replace("MASK", mask).replace("LAYOUT", LAYOUTS[mask]), encoding="utf-8")
    return path


def write(folder: Path, text: str) -> Path:
    """A file of a spec."""
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def silent(stage: str, fraction: float | None) -> None:
    pass


class Built:
    """The step of a spec, built in a folder for one target, with random weights."""

    def __init__(self, folder: Path, source: str | Path, target: Target = ONNX, **options: Any) -> None:
        self.folder, self.target = folder, target
        self.checked = accepted(source, **options)
        torch.manual_seed(0)
        state = compile(self.checked).state_dict()
        # Values that are large enough for what is read to matter.
        state = {name: 4 * one if one.is_floating_point() else one for name, one in state.items()}
        save_file({name: one.contiguous().clone() for name, one in state.items()}, folder / "model.safetensors")
        (folder / "model.py").write_text(emit(self.checked))
        (folder / "spec.yaml").write_text("")
        whole = Program(
            source=Path("model.py"),
            module=class_name(self.checked.spec.name),
            weights=Path("model.safetensors"),
            interface=interface_of(self.checked.spec),
        )
        found = step_programs(self.checked)
        assert found is not None
        self.programs: StepPrograms = found
        self.whole = whole
        self.work = StepWork(folder=folder, whole=whole, programs=found, dtype="float32", recipe=None, progress=silent)
        with steps_here():
            self.built, _ = self.work.build([target])

    def opened(self) -> BuiltSteps:
        """The opened step."""
        files = {one.program.part: self.folder / _first(one.built[0]) for one in self.built}
        return open_steps(self.programs, self.target, "float32", files)

    def contest(self) -> StepContest:
        """The step beside the full forward."""
        return StepContest(
            artifact=step_of(self.target),
            dtype="float32",
            opened=lambda: built_steps(self.opened(), self.checked),
            program=self.whole.inside(self.folder),
            checked=self.checked,
        )


def _first(one: BuiltArtifact) -> Path:
    return one.folder / one.artifact.files[0]


def judged(contest: StepContest) -> OutputDifference:
    (trial,) = contest.trials()
    assert not isinstance(trial, str)
    assert trial.reference == "interpreter"
    (difference,) = trial.differences
    assert difference.scale > 0.1
    return difference


def largest(contest: StepContest) -> float:
    return judged(contest).largest


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY)
    return Built(folder, folder / "tiny.yaml")


def test_every_position_equals_the_full_forward(tiny: Built) -> None:
    assert largest(tiny.contest()) < 1e-5


def test_attention_is_one_operator_of_the_runtime(tiny: Built) -> None:
    (step,) = tiny.built
    model = onnx.load(tiny.folder / _first(step.built[0]))
    kinds = [node.op_type for node in model.graph.node if node.domain == "com.microsoft"]
    assert kinds.count("GroupQueryAttention") == 2
    assert not {"ScatterElements", "Softmax"} & {node.op_type for node in model.graph.node}


ROTARY = TINY.replace(", positions: {kind: learned, length: 32}", "").replace(
    "{heads: 4, kv_heads: 2, mask: causal}",
    "{heads: 4, kv_heads: 2, head_dim: SIZE, mask: causal, MORE positions: {kind: rotary, layout: LAYOUT, SCALING}}",
)
FIXED = {"do_rotary": 2, "RotaryEmbedding": 0}
"""How often a step has what; the angles of all positions are computed once."""
ANEW = {"do_rotary": 0, "RotaryEmbedding": 4}


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        pytest.param({}, {**FIXED, "packed": 2}, id="plain"),
        pytest.param({"MORE": "bias: [q, k, v],"}, {**FIXED, "packed": 2}, id="biases"),
        pytest.param({"MORE": "bias: [v],"}, {**FIXED, "packed": 0}, id="one bias"),
        pytest.param({"MORE": "qk_norm: {norm: {kind: rms_norm, eps: 1e-5}, over: head},"}, FIXED, id="norms"),
        pytest.param({"SIZE": "8"}, {**ANEW, "packed": 0}, id="heads of eight"),
        pytest.param({"[1, 12, 32]": "[1, 12, 262144]"}, {**ANEW, "packed": 0}, id="a long context"),
        pytest.param({"LAYOUT": "interleaved"}, {"do_rotary": 0, "packed": 0}, id="neighbours"),
        pytest.param({"SCALING": "scaling: {kind: yarn, factor: 4, original: 8}"}, {**FIXED, "packed": 2}, id="scaled"),
    ],
)
def test_who_rotates(changed: dict[str, str], wanted: dict[str, int], tmp_path: Path) -> None:
    """Where angles of a position never change, attention rotates, and one product gives its heads.

    Every position is held to the full forward, of rows with other pasts too.
    """
    source = ROTARY
    for name, text in ({"SIZE": "16", "LAYOUT": "half", "MORE": "", "SCALING": "base: 100"} | changed).items():
        source = source.replace(name, text)
    built = Built(tmp_path, write(tmp_path, source))
    # Norms of heads divide by little, so that float32 itself is off by 2e-5, with a table of each step too.
    assert largest(built.contest()) < 3e-5
    (step,) = built.built
    nodes = list(onnx.load(tmp_path / _first(step.built[0])).graph.node)
    attending = [node for node in nodes if node.op_type == "GroupQueryAttention"]
    found = {
        "do_rotary": sum(one.name == "do_rotary" for node in attending for one in node.attribute),
        "RotaryEmbedding": [node.op_type for node in nodes].count("RotaryEmbedding"),
        "packed": sum(not node.input[1] and not node.input[2] for node in attending),
    }
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("change", [1, -1])
def test_an_output_too_few_or_too_many_is_refused(tiny: Built, change: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs have no names, so that each would be taken for another one."""
    plain = onnxruntime.IOBinding.get_outputs_as_ortvaluevector

    def other(binding: Any) -> list[Any]:
        found = list(plain(binding))
        return [*found, found[0]] if change > 0 else found[1:]

    monkeypatch.setattr(onnxruntime.IOBinding, "get_outputs_as_ortvaluevector", other)
    with pytest.raises(ValueError, match="outputs where"):
        largest(tiny.contest())


@pytest.mark.parametrize(
    ("past", "counts", "wanted"),
    [
        pytest.param([3, 0], [1, 1], [(None, None)], id="one position a row"),
        pytest.param([3, 0], [0, 1], [(None, None)], id="an idle row"),
        pytest.param([0, 0], [2, 4], [(None, None)], id="all rows begin"),
        pytest.param([0, 0], [2, 3], [(None, 3)], id="filled up further than any row"),
        pytest.param([3, 0], [1, 4], [(0, 1), (1, 4)], id="a chunk beside a row that goes on"),
        pytest.param([3, 5], [0, 4], [(0, 1), (1, 4)], id="a chunk beside an idle row"),
    ],
)
def test_parts_of_a_step(past: list[int], counts: list[int], wanted: list[tuple[int | None, int | None]]) -> None:
    given = np.array(counts)
    new = 1 if max(counts) == 1 else 4
    found = parts(np.array(past), given, np.maximum(given - 1, 0), new)
    assert [(one.row, one.new) for one in found] == wanted


@pytest.mark.parametrize("shift", [-1, 1])
def test_positions_that_are_off_by_one_are_found(tiny: Built, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = BuiltSteps.run

    def shifted(self: BuiltSteps, fed: Arrays, cache: Any, counts: Array, last: Array | None = None) -> Array:
        past = cache.past
        cache.past = np.maximum(past + shift, 0)
        found = plain(self, fed, cache, counts, last)
        cache.past = past + counts
        return found

    monkeypatch.setattr(BuiltSteps, "run", shifted)
    assert largest(tiny.contest()) > 1e-3


def test_state_that_is_not_carried_on_is_found(tiny: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = BuiltSteps.run

    def forgetful(self: BuiltSteps, fed: Arrays, cache: Any, counts: Array, last: Array | None = None) -> Array:
        found = plain(self, fed, cache, counts, last)
        for array in cache.parts.values():
            array[0] = 0
        return found

    monkeypatch.setattr(BuiltSteps, "run", forgetful)
    assert largest(tiny.contest()) > 1e-3


def test_an_output_that_is_wrong_inside_a_chunk_is_found(tiny: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = BuiltSteps.run

    def wrong(self: BuiltSteps, fed: Arrays, cache: Any, counts: Array, last: Array | None = None) -> Array:
        found = plain(self, fed, cache, counts, last)
        inside = np.zeros_like(counts) if last is None else last < counts - 1
        return found + 0.5 * inside[:, None]

    monkeypatch.setattr(BuiltSteps, "run", wrong)
    (trial,) = tiny.contest().trials()
    assert isinstance(trial, ParityTrial)
    found = Collector()
    trial.judge(found)
    (diagnostic,) = found.diagnostics
    assert diagnostic.message.startswith("step of onnx differs from the interpreter by 0.5 in `logits` at batch=3,")
    assert re.fullmatch(r"row \d, position \d, fed in chunks of [\d, ]+ \(ragged, twice\)", diagnostic.notes[1])


def overrun(steps: BuiltSteps, capacity: int, most: int) -> None:
    """No program compares positions with the capacity, so that what runs it does, before it writes anything."""
    cache = steps.new_cache(2, capacity, {}, {"batch": 2})
    for _ in range(most - 2):
        steps.run({"ids": np.zeros((2, 1), np.int64)}, cache, np.array([1, 1]))
    # What fills up the chunk of a row is no position.
    steps.run({"ids": np.zeros((2, 4), np.int64)}, cache, np.array([2, 1]))
    before = {name: array.copy() for name, array in cache.parts.items()}
    one = {"ids": np.zeros((2, 1), np.int64)}
    with pytest.raises(ValueError, match=rf"^a row has {most + 1} positions, but its cache takes {most}$"):
        steps.run(one, cache, np.array([1, 1]))
    assert all(np.array_equal(before[name], array) for name, array in cache.parts.items())
    steps.run(one, cache, np.array([0, 1]))
    assert cache.past.tolist() == [most, most]


@pytest.mark.parametrize(
    ("counts", "last", "said"),
    [
        ([4, 1], None, r"^counts must be from 0 to 3 for each row, not \[4, 1\]$"),
        ([1, -1], None, r"^counts must be from 0 to 3 for each row, not \[1, -1\]$"),
        ([3], None, r"^counts must be from 0 to 3 for each row, not \[3\]$"),
        ([3, 1], [3, 0], r"^last must be from 0 to 2 for each row, not \[3, 0\]$"),
    ],
)
def test_counts_are_numbers_of_new_positions(tiny: Built, counts: list[int], last: list[int] | None, said: str) -> None:
    steps = tiny.opened()
    cache = steps.new_cache(2, 6, {}, {"batch": 2})
    with pytest.raises(ValueError, match=said):
        places = None if last is None else np.array(last)
        steps.run({"ids": np.zeros((2, 3), np.int64)}, cache, np.array(counts), places)
    assert cache.past.tolist() == [0, 0]


def test_a_row_beyond_its_cache(tiny: Built) -> None:
    overrun(tiny.opened(), 6, 6)
    with pytest.raises(ValueError, match=r"^capacity must be at most 32, not 33$"):
        tiny.opened().new_cache(2, 33, {}, {"batch": 2})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mistral-7b", *left_to_long("gemma-2-2b", "t5-small", "prefix-lm-base", "llama-3.2-1b")]
)
def test_shipped_decoders(tmp_path: Path, name: str) -> None:
    """With large weights; the step of every other kind is held to the full forward in `test_shipped.py`."""
    built = Built(tmp_path, name, reduced=True)
    assert largest(built.contest()) < 2e-5
    if name == "mistral-7b":
        # Rings have no end of their own: rows end where the positions of the model do.
        overrun(built.opened(), 6, built.programs.found.length.max)


SLOW = [("onnx", "last(5)"), ("openvino", "causal"), ("openvino", "last(5)")]


@pytest.mark.parametrize(
    ("engine", "mask"), [("onnx", "causal"), *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_latents(engine: str, mask: str, tmp_path: Path) -> None:
    built = Built(tmp_path, latents(tmp_path, mask), Target(engine=engine))
    (kept,) = built.programs.found.state
    assert kept.type.shape[-1] == 20
    assert largest(built.contest()) < 2e-5
    if engine == "onnx":
        (step,) = built.built
        kinds = [node.op_type for node in onnx.load(tmp_path / _first(step.built[0])).graph.node]
        # The runtime's own operator takes keys and values of one size alone.
        assert (kinds.count("Softmax"), kinds.count("GroupQueryAttention")) == (2, 0)


@pytest.mark.slow
def test_the_step_in_openvino(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    built = Built(tmp_path, tmp_path / "tiny.yaml", Target(engine="openvino"))
    assert largest(built.contest()) < 2e-5
    overrun(built.opened(), 6, 6)


CHOICE = "experts: {count: 4, top_k: 2, scores: softmax, normalise: true}"
EXPERTS = f"feed_forward: {{hidden: 32, activation: gelu, {CHOICE}}}"


def test_experts_of_more_rows_than_new_positions_in_openvino(tmp_path: Path) -> None:
    """Its integers were wrong where a row had a larger number than there were new positions."""
    pytest.importorskip("openvino")
    text = TINY.replace("layers: 2", "layers: 1")
    text = re.sub(r"feed_forward: \{.*?\}", EXPERTS, text)
    assert EXPERTS in text
    (tmp_path / "tiny.yaml").write_text(text)
    built = Built(tmp_path, tmp_path / "tiny.yaml", Target(engine="openvino"))
    assert largest(built.contest()) < 2e-5


def refuse(code: str) -> Callable[..., Any]:
    def refused(*given: Any, **more: Any) -> Any:
        fail(code, "OpenVINO rejected the network", None, notes=["no such operator"])

    return refused


REJECTED = {"code": "E606", "message": "OpenVINO rejected the network", "notes": ["no such operator"]}


@pytest.mark.parametrize("when", ["build", "compared"])
@pytest.mark.parametrize("code", ["E606", "E609"])
def test_a_step_that_is_refused_costs_no_other_target(
    tiny: Built, tmp_path: Path, when: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other steps are there and nothing is left of it; a step that computes something else fails the build."""
    shutil.copytree(tiny.folder, tmp_path, dirs_exist_ok=True)
    (built,) = tiny.built
    work = replace(tiny.work, folder=tmp_path)
    other = Target(engine="openvino")

    def build(self: StepWork, targets: Sequence[Target]) -> Any:
        (tmp_path / "artifacts/step" / targets[0].folder).mkdir(exist_ok=True)
        (tmp_path / ".export").mkdir(exist_ok=when == "compared")
        if when == "build" and targets == [other]:
            refuse(code)()
        shutil.rmtree(tmp_path / ".export")
        one = replace(built.built[0], target=targets[0])
        return (replace(built, built=(one,)),), ()

    def compared(self: StepWork, report: BundleReport, programs: Sequence[BuiltProgram]) -> BundleReport:
        if when == "compared" and programs[0].built[0].target == other:
            refuse(code)()
        return report

    monkeypatch.setattr(StepWork, "build", build)
    monkeypatch.setattr(StepWork, "compared", compared)
    empty = BundleReport(trials=[], skipped=[], stages=[])
    if code == "E609":
        with pytest.raises(SpecError):
            build_steps(work, tiny.checked.spec, [other, ONNX], empty)
        return
    made = build_steps(work, tiny.checked.spec, [other, ONNX], empty)
    assert [[one.target for one in program.built] for program in made.programs] == [[ONNX]]
    assert [one.model_dump() for one in made.rejected] == [{"target": "openvino", **REJECTED}]
    assert sorted(path.name for path in (tmp_path / "artifacts/step").iterdir()) == ["onnx"]
    assert not (tmp_path / ".export").exists()
    assert (tmp_path / "step.py").exists()
    made = build_steps(work, tiny.checked.spec, [other], empty)
    assert not made.programs and len(made.rejected) == 1
    assert not (tmp_path / "step.py").exists()


@pytest.mark.slow
def test_the_command_names_what_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.setattr(Onnx, "open_step", refuse("E610"))
    given = ["build", str(tmp_path / "tiny.yaml"), "-o", str(tmp_path / "built"), "--no-cache"]
    with steps_here():
        result = CliRunner().invoke(cli, given)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-2:] == [
        "  step of onnx failed: E610: OpenVINO rejected the network",
        "    no such operator",
    ]
    opened = archspec.open(tmp_path / "built")
    assert [(one.target, one.verified) for one in opened.manifest.artifacts] == [("onnx", "executed")]
    assert [one.target for one in opened.manifest.rejected] == ["onnx"]
    assert not opened.manifest.programs
    monkeypatch.undo()
    # Generation runs the module and says so.
    assert decoder(opened).chosen.startswith("the emitted module: the bundle has no artifact of a cached step")
    assert decoder(opened).generate([[1, 2, 3]], max_new=2)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "tiny.yaml").write_text(TINY)
    with steps_here():
        archspec.build(folder / "tiny.yaml", folder / "built", seed=3, cache=False, benchmark=True)
    return folder / "built"


def test_generation_on_a_bundle_runs_the_step(bundle: Path) -> None:
    opened = archspec.open(bundle)
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
    engine = decoder(opened)
    assert engine.chosen.startswith("onnx: benchmarked")
    module = decoder(opened, artifact="module")
    assert module.chosen == "the emitted module: requested"
    found = engine.generate(prompts, max_new=20, log_probabilities=True)
    wanted = module.generate(prompts, max_new=20, log_probabilities=True)
    assert [row.ids for row in found] == [row.ids for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.log_probabilities, other.log_probabilities, atol=1e-5)


def test_the_step_is_timed(bundle: Path) -> None:
    opened = archspec.open(bundle)
    (step,) = opened.manifest.programs
    assert [one.verified for one in step.artifacts] == ["benchmarked"]
    (timing,) = [one for one in opened.report.timings if one.artifact == "step of onnx"]
    assert timing.sizes == {"batch": 1, "length": 12}
    assert timing.runs == ROUNDS * RUNS and 0 < timing.milliseconds < 1e3
    (line,) = [line for line in opened.summary().splitlines() if line.startswith("  step of onnx")]
    found = re.fullmatch(
        r"  step of onnx float32, [\d.]+ kB, benchmarked, ([\d,.]+) tokens/s \(([\d.]+) ms at batch=1, length=12\)"
        r"; at most \S+ from the interpreter",
        line,
    )
    assert found is not None
    assert float(found[1].replace(",", "")) * float(found[2]) == pytest.approx(1e3, rel=0.01)


def test_a_step_is_chosen_by_its_own_time(bundle: Path) -> None:
    """Not by that of the full forward."""
    opened = archspec.open(bundle)
    (entry,) = opened.manifest.programs[0].artifacts
    others = [entry, entry.model_copy(update={"target": "openvino"})]
    times = {"onnx": 1.0, "openvino": 2.0, "step of onnx": 20.0, "step of openvino": 10.0}
    timings = [Timing(artifact=name, sizes={}, milliseconds=ms, runs=1) for name, ms in times.items()]
    report = opened.report.model_copy(update={"timings": timings})
    assert choose(others, report, named=step_of).target == "openvino"
    assert choose(others, report).target == "onnx"


def test_chunks_and_beams_on_the_step(bundle: Path) -> None:
    opened = archspec.open(bundle)
    search = BeamSearch(beams=3)
    prompts = [[1, 2, 3], [5, 6, 7, 8, 9, 10, 11]]
    found = decoder(opened).generate(prompts, max_new=8, search=search)
    wanted = decoder(opened, artifact="module").generate(prompts, max_new=8, search=search)
    assert [row.ids for row in found] == [row.ids for row in wanted]


def test_verify_runs_the_step_in_chunks(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = archspec.open(bundle)
    claims = load_claims(bundle / "spec.yaml")
    weights = float_arrays(bundle / "model.safetensors")
    (report,) = verify_steps(opened, claims, weights, True, 0)
    assert report.subject == "built: step of onnx, float32"
    assert [finding.status for finding in report.findings] == ["holds"]
    plain = BuiltSteps.run

    def late(self: BuiltSteps, fed: Arrays, cache: Any, counts: Array, last: Array | None = None) -> Array:
        cache.past = cache.past + 1
        found = plain(self, fed, cache, counts, last)
        cache.past = cache.past - 1
        return found

    monkeypatch.setattr(BuiltSteps, "run", late)
    (report,) = verify_steps(opened, claims, weights, True, 0)
    assert [finding.status for finding in report.findings] == ["violated"]


def test_generate_takes_what_computes_the_steps(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The artifact is not run where the module is named, and the other way around."""
    opened, ran = archspec.open(bundle), list[str]()
    plain = BuiltSteps.run

    def counted(self: BuiltSteps, *given: Any, **more: Any) -> Array:
        ran.append("artifact")
        return plain(self, *given, **more)

    monkeypatch.setattr(BuiltSteps, "run", counted)
    (wanted,) = archspec.generate(opened, [[1, 2, 3]], max_new=4, artifact="module")
    assert not ran
    (found,) = archspec.generate(opened, [[1, 2, 3]], max_new=4, artifact="onnx")
    assert ran and found.ids == wanted.ids


def test_an_unknown_artifact(bundle: Path) -> None:
    with pytest.raises(SpecError) as raised:
        decoder(archspec.open(bundle), artifact="openvina")
    assert raised.value.diagnostics[0].code == "E710"


def test_a_bundle_without_a_step_runs_the_module(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = archspec.open(bundle)
    opened.manifest.programs.clear()
    made = decoder(opened)
    assert made.chosen == "the emitted module: the bundle has no artifact of a cached step"
    assert len(made.generate([[1, 2]], max_new=3)[0].ids) == 3


def test_a_damaged_step_is_refused(bundle: Path, tmp_path: Path) -> None:
    """Nothing else runs in its place: the file is not what the build compared."""
    shutil.copytree(bundle, tmp_path / "copy")
    opened = archspec.open(tmp_path / "copy")
    (entry,) = opened.manifest.programs[0].artifacts
    file = tmp_path / "copy" / entry.files[0]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SpecError) as raised:
        decoder(opened)
    assert [(one.code, one.message) for one in raised.value.diagnostics] == [
        ("E610", "ONNX Runtime cannot open model.onnx")
    ]


def test_a_runtime_that_is_not_here_is_passed_over(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Onnx, "runtime", "onnxruntime_of_another_day")
    made = decoder(archspec.open(bundle))
    assert made.chosen == (
        "the emitted module: the bundle has no artifact of a cached step that this host can run; onnx: the module"
        " onnxruntime_of_another_day cannot be imported: No module named 'onnxruntime_of_another_day'"
    )
    with pytest.raises(SpecError) as raised:
        decoder(archspec.open(bundle), artifact="onnx")
    assert raised.value.diagnostics[0].code == "E610"


def test_a_step_without_its_other_part_is_refused() -> None:
    with pytest.raises(SpecError) as raised:
        step_artifacts._entry([], "onnx")
    assert raised.value.diagnostics[0].message == "the bundle has only a part of the cached step of `onnx`"


def test_what_is_kept_of_bfloat16_stands_in_float32(tiny: Built) -> None:
    """NumPy has no bfloat16: a cache of a dtype that nothing states is an error, not float32."""
    found = tiny.programs.found
    sizes = {"batch": 2, "length": 8}
    for dtype, held in {"bfloat16": "float32", "float16": "float16", "float32": "float32"}.items():
        cache = StepCache(2, 8, found.state, sizes, dtype)  # type: ignore[arg-type]
        assert {str(one.dtype) for one in cache.parts.values()} == {held}
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    there = every[~every.isnan()]
    assert torch.equal(there.float().to(torch.bfloat16).view(torch.int16), there.view(torch.int16))
    with pytest.raises(KeyError):
        StepCache(2, 8, found.state, sizes, "float8")  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_step_in_inductor(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(edited(TINY, ("layers: 2", "layers: 1")))
    with steps_here():
        opened = archspec.build(tmp_path / "tiny.yaml", tmp_path / "out", targets=["inductor"], seed=3, cache=False)
    (step,) = opened.manifest.programs
    assert [one.verified for one in step.artifacts] == ["executed"]
    (trial,) = [one for one in opened.report.trials if one.artifact == "step of inductor"]
    assert trial.differences[0].largest < 1e-5
    for prompts in ([[1, 2, 3]], [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]):
        made = decoder(opened, artifact="inductor")
        assert made.chosen.startswith("inductor: requested; executed")
        found = made.generate(prompts, max_new=20)
        wanted = decoder(opened, artifact="module").generate(prompts, max_new=20)
        assert [row.ids for row in found] == [row.ids for row in wanted]
