"""The loss of each kind of output, against PyTorch's own measures in float64; what has no classes has none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

import archspec
from archspec.bundle.class_scores import class_scores
from archspec.bundle.evaluating import Evaluation, _judge, read_limits
from archspec.bundle.parity import float_arrays
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.engines.program import Program
from archspec.layouts.parameters import parameter_shapes
from archspec.lower import emit
from archspec.lower.naming import class_name
from archspec.model.ports import interface_of
from archspec.oracle.interpreter import interpret
from archspec.quantising.plan import plan_of, read_wishes
from archspec.quantising.spec import quantised
from archspec.quantising.tensors import stored_tensors
from archspec.spec import Spec

HEAD = """archspec: 1
name: small
dims: {batch: [1, 2, 4]}
"""
# As many columns as classes, so that a shape does not tell which axis is which.
SEGMENTS = f"""{HEAD}inputs: {{pixels: "float[batch, 3, 8, 5]"}}
graph:
  a: {{block: conv, input: pixels, channels: 16, kernel: 3, padding: same, activation: gelu, bias: true}}
  b: {{block: conv, input: a, channels: 5, kernel: 1, bias: true}}
  logits: {{block: resize, input: b, size: [16, 5], mode: bilinear}}
outputs: {{logits: "float[batch, 5, 16, 5]"}}
"""
PADDED = f"""{HEAD.replace("}", ", length: [1, 8, 12]}")}inputs:
  ids: "int64[batch, length] < 17"
  valid: {{type: "bool[batch, length]", padding: PADDING}}
defaults: {{norm: rms_norm, bias: false}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: 17, dim: 32}}
  states:
    block: decoder
    input: source
    layers: 1
    residual: pre
    final_norm: true
    attention: {{heads: 2, mask: causal & key_valid(valid)}}
    feed_forward: {{hidden: 32, activation: gelu}}
  logits: {{block: lm_head, input: states, tie: source.table}}
outputs: {{logits: "float[batch, length, 17]"}}
rules: [{{ignores: {{output: logits, input: ids, where: not valid}}}}]
decode: {{input: ids, output: logits, start: none, end: none}}
"""
BOXES = f"""{HEAD}inputs: {{x: "float[batch, 3, 8, 8]"}}
graph:
  a: {{block: conv, input: x, channels: 8, kernel: 1}}
  logits: {{block: rearrange, input: a, pattern: b (n c) h w -> b n c h w, sizes: {{n: 2}}}}
outputs: {{logits: "float[batch, 2, 4, 8, 8]"}}
"""
NOISE = f"""{HEAD}inputs: {{x: "float[batch, 3, 8, 8]"}}
graph: {{noise: {{block: conv, input: x, channels: 6, kernel: 1}}}}
outputs: {{noise: "float[batch, 6, 8, 8]"}}
"""
PAIRS = f"""{HEAD.replace("}", ", images: [1, 2, 4]}")}inputs: {{x: "float[batch, 16]", z: "float[images, 16]"}}
graph: {{logits: {{block: matmul, left: x, right: z, transpose_right: true}}}}
outputs: {{logits: "float[batch, images]"}}
"""
TAGS = f"""{HEAD.replace("}", ", length: [1, 8, 12]}")}inputs:
  x: "float[batch, length, 16]"
  valid: "bool[batch, length]"
graph:
  a: {{block: linear, input: x, dim: 5}}
  b: {{block: select, input: a, where: valid, otherwise: 0}}
  logits: {{block: rearrange, input: b, pattern: b s c -> b c s}}
outputs: {{logits: "float[batch, 5, length]"}}
rules: [{{ignores: {{output: logits, input: x, where: not valid}}}}]
"""
LINEAR = HEAD + 'inputs: {x: "float[batch, 16]"}\ngraph:\n  y: {block: linear, input: x, dim: SIZE}\n'
Arrays = Mapping[str, np.ndarray]


def head(size: int, outputs: str, more: str = "") -> str:
    """A spec with a linear map."""
    return f"{LINEAR.replace('SIZE', str(size))}{more}outputs: {{{outputs}}}\n"


def read(folder: Path, text: str) -> Spec:
    (folder / "s.yaml").write_text(text)
    return archspec.load(folder / "s.yaml")


def evaluation(folder: Path, text: str, arrays: Arrays, seed: int = 0) -> tuple[Evaluation, Arrays, Arrays]:
    """An evaluation of `int8`, and the scores of floats and of integers that the interpreter computes in float64."""
    spec, rng = read(folder, text), np.random.default_rng(seed)
    rounded = quantised(spec, plan_of(spec.graph, read_wishes(["int8"])))
    shapes = parameter_shapes(spec.graph)
    drawn = {name: torch.from_numpy(rng.normal(size=shape).astype("f")) for name, shape in shapes.items()}
    save_file(drawn, folder / "floats.safetensors")
    save_file(dict(stored_tensors(rounded.graph, drawn, integers={})), folder / "integers.safetensors")
    programs = [
        Program(
            source=folder / f"{name}.py",
            module=class_name(spec.name),
            weights=folder / f"{name}.safetensors",
            interface=interface_of(spec),
        )
        for name in ("floats", "integers")
    ]
    for one, program in zip((spec, rounded), programs, strict=True):
        program.source.write_text(emit(accepted(one, unproved=True)))
    inputs = {name: array for name, array in arrays.items() if name in spec.inputs}
    wanted, found = (
        interpret(one.graph, inputs, float_arrays(program.weights))
        for one, program in zip((spec, rounded), programs, strict=True)
    )
    return Evaluation(spec=rounded, program=programs[1], floats=programs[0], arrays=arrays), wanted, found


def test_scores_of_a_map_are_those_of_each_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(-1, 5, size=(4, 16, 5))
    arrays = {"pixels": rng.normal(size=(4, 3, 8, 5)).astype("f"), "labels": labels}
    one, wanted, found = evaluation(tmp_path, SEGMENTS, arrays)
    floats, integers = (torch.from_numpy(each["logits"]) for each in (wanted, found))
    loss = one.loss()
    assert (one.scores.axis, one.scores.classes, loss.positions) == (1, 5, labels.size)
    # PyTorch has the classes of a map along axis 1.
    apart = F.kl_div(integers.log_softmax(1), floats.log_softmax(1), reduction="sum", log_target=True) / labels.size
    assert loss.kl == pytest.approx(float(apart), rel=1e-3)
    chosen = [scores.argmax(1).numpy() for scores in (floats, integers)]
    assert loss.agreement == pytest.approx((chosen[0] == chosen[1]).mean())
    row, y, x = np.argwhere(chosen[0] != chosen[1])[0]
    assert loss.flip == (row, 5 * y + x, chosen[0][row, y, x], chosen[1][row, y, x])
    likely = [-float(F.cross_entropy(each, torch.from_numpy(labels), ignore_index=-1)) for each in (floats, integers)]
    assert loss.likelihood == pytest.approx(likely, rel=1e-4)
    assert loss.known == (labels >= 0).sum()
    assert loss.accuracy == pytest.approx([(each == labels).sum() / (labels >= 0).sum() for each in chosen])


def test_labels_of_a_map_have_the_shape_of_its_pixels(tmp_path: Path) -> None:
    arrays = {"pixels": np.ones((2, 3, 8, 5), "f"), "labels": np.zeros((2, 5, 16), np.int64)}
    one, _, _ = evaluation(tmp_path, SEGMENTS, arrays)
    with pytest.raises(SpecError, match=r"expected integers \[2, 16, 5\]"):
        one.loss()


def test_positions_behind_the_classes_that_are_padding_do_not_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    arrays = {"x": rng.normal(size=(2, 9, 16)).astype("f"), "valid": rng.random((2, 9)) < 0.6}
    one, wanted, found = evaluation(tmp_path, TAGS, arrays)
    loss = one.loss()
    floats, integers = (torch.from_numpy(each["logits"]).log_softmax(1).numpy() for each in (wanted, found))
    apart = (np.exp(floats) * (floats - integers)).sum(1)[arrays["valid"]]
    assert loss.positions == arrays["valid"].sum()
    assert loss.kl == pytest.approx(apart.mean(), rel=1e-3)


NAMED = 'logits: {from: y, type: "float[batch, 5]"}'


def test_an_input_that_is_called_labels_is_an_input(tmp_path: Path) -> None:
    x = np.random.default_rng(4).normal(size=(4, 16)).astype("f")
    text = head(5, NAMED).replace("{x:", "{labels:").replace("input: x", "input: labels")
    one, _, _ = evaluation(tmp_path, text, {"labels": x})
    assert one.loss().positions == 4


@pytest.mark.parametrize("padding", ["right", "left", "any"])
def test_a_next_id_counts_where_it_is_no_padding(tmp_path: Path, padding: str) -> None:
    rng = np.random.default_rng(2)
    lengths, valid = (4, 6, 2), np.zeros((3, 8), bool)
    for row, length in enumerate(lengths):
        valid[row, slice(-length, None) if padding == "left" else slice(length)] = True
    if padding == "any":
        valid[1, 2] = False
    arrays = {"ids": np.where(valid, rng.integers(1, 17, size=(3, 8)), 0), "valid": valid}
    one, wanted, found = evaluation(tmp_path, PADDED.replace("PADDING", padding), arrays)
    pairs = [(row, at) for row in range(3) for at in range(7) if valid[row, at] and valid[row, at + 1]]
    rows, places = (np.array(each) for each in zip(*pairs, strict=True))
    right = torch.from_numpy(arrays["ids"][rows, places + 1])
    scores = [torch.from_numpy(each["logits"][rows, places]) for each in (wanted, found)]
    loss = one.loss()
    assert (loss.positions, loss.known) == (valid.sum(), len(pairs))
    assert loss.likelihood == pytest.approx([-float(F.cross_entropy(each, right)) for each in scores], rel=1e-4)
    assert loss.accuracy == pytest.approx([float((each.argmax(-1) == right).double().mean()) for each in scores])


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        (head(1, 'y: "float[batch, 1]"'), (2,), "axis 1 has 1$"),
        (PAIRS, (2,), "the inputs decide how many"),
        (NOISE, None, "whether `noise: .*` has scores"),
        (head(8, 'y: "float[batch, 8]"'), None, "whether `y: .*` has scores"),
        (
            head(8, 'e: {from: n, type: "float[batch, 8]"}', "  n: {block: l2_normalize, input: y}\n"),
            None,
            "whether `e: ",
        ),
        (head(8, 'y: "float[batch, 8]", x: "float[batch, 16]"'), (2,), "which of y, x"),
        (BOXES, None, "along which axis"),
    ],
    ids=["one score", "sizes of inputs", "noise", "a head", "an embedding", "several outputs", "no axis"],
)
def test_what_has_no_classes_that_are_known_is_refused(
    tmp_path: Path, text: str, labels: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(SpecError) as raised:
        class_scores(read(tmp_path, text), labels)
    (found,) = raised.value.diagnostics
    assert found.code == "E633"
    assert found.help
    assert re.search(message, found.message)


def test_an_output_of_another_name_has_scores_if_labels_say_so(tmp_path: Path) -> None:
    assert class_scores(read(tmp_path, head(8, 'y: "float[batch, 8]"')), (4,)).axis == 1
    image = read(tmp_path, SEGMENTS.replace("logits:", "found:"))
    assert class_scores(image, (4, 16, 5)).axis == 1


def test_labels_tell_the_axis_where_no_op_does(tmp_path: Path) -> None:
    assert class_scores(read(tmp_path, BOXES), (3, 2, 8, 8)).classes == 4
    assert class_scores(read(tmp_path, BOXES), (3, 4, 8, 8)).classes == 2


@pytest.mark.parametrize(
    "text",
    ["accuracy=-1", "accuracy=-0.01", "perplexity=-2", "kl=-1", "disagreement=-1", "accuracy=1", "disagreement=5"],
)
def test_a_limit_that_all_losses_or_none_are_within_is_refused(text: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_limits([text])
    assert [one.code for one in raised.value.diagnostics] == ["E635"]
    assert read_limits(["accuracy=0", "disagreement=0.99", "perplexity=3", "kl=9"])["perplexity"] == 3.0


def test_what_costs_nothing_is_not_blamed(tmp_path: Path) -> None:
    # A map of zeros loses nothing by its weights.
    one, _, _ = evaluation(tmp_path, head(5, NAMED), {"x": np.zeros((4, 16), "f")})
    lost = replace(one.loss(), kl=0.5)
    with pytest.raises(SpecError, match=r"kl is 0\.5, allowed 0\.02") as raised:
        _judge("quantised weights lose", lost, {"kl": 0.02}, one, "")
    (found,) = raised.value.diagnostics
    assert found.code == "E634"
    assert (found.notes, found.help) == ((), None)
