"""What cannot be generated is said before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archspec
from archspec.bundle import build
from archspec.decoding import TextDecoder, decoder, read_tokenizer
from archspec.decoding.beams import BeamSearch
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.decoding.running import compiled
from tests.decoding.words import by_words, saved
from tests.editing import edited


def codes(error: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [one.code for one in error.value.diagnostics]


def refused(spec: Spec, prompts: Any = None, **more: Any) -> list[str]:
    options = {"max_new": 3, "module": compiled(spec), "unproved": True, **more}
    with pytest.raises(SpecError) as raised:
        archspec.generate(spec, prompts, **options)
    assert all(re.match(r"[a-z`\d]", one.message) for one in raised.value.diagnostics)
    return [one.code for one in raised.value.diagnostics if one.severity == "error"]


@pytest.mark.parametrize(
    ("prompts", "more", "expected"),
    [
        ([[1], []], {}, ["E741"]),
        ([[], []], {}, ["E741", "E741"]),
        (None, {}, ["E741"]),
        ([[1] * 22], {"max_new": 4}, ["E742"]),
        ([[1] * 22, [1], [1] * 30], {"max_new": 4}, ["E742", "E742"]),
        ([[41]], {}, ["E718"]),
        ([[1, -1]], {}, ["E718"]),
        ([[1], [2], [3], [4], [5]], {}, ["E716"]),
        ([], {}, ["E716"]),
        ([["a"]], {}, ["E713"]),
        (["12"], {}, ["E760"]),
        ([[1.5]], {}, ["E713"]),
        ([[True]], {}, ["E713"]),
        ([1, [2]], {}, ["E713"]),
        (5, {}, ["E713"]),
        (np.array(5), {}, ["E713"]),
        ("12", {}, ["E760"]),
        ({1: 2}, {}, ["E713"]),
        ({1, 2}, {}, ["E713"]),
        (b"ab", {}, ["E713"]),
        ([[2**70]], {}, ["E718"]),
        (np.full((1, 2), 2**64 - 1, dtype=np.uint64), {}, ["E718"]),
        ([[1] * 25], {"max_new": 1}, ["E742"]),
        ([[1]], {"max_new": 2.0}, ["E744"]),
        ([[1]], {"max_new": "2", "min_new": None}, ["E744", "E744"]),
        ([[1]], {"stop": [1.0, None]}, ["E744", "E744"]),
        ([[1]], {"stop": 5}, ["E744"]),
        ([[1]], {"stop": None}, ["E744"]),
        ([[1]], {"stop": "7"}, ["E744"]),
        ([[1]], {"stop": np.array(7)}, ["E744"]),
        ([[1]], {"stop": [[7]]}, ["E744"]),
        ([[1]], {"max_new": 0}, ["E744"]),
        ([[1]], {"top_k": 2}, ["E744"]),
        ([[1]], {"artifact": "module"}, ["E744"]),
        ([[1]], {"inputs": {"ids": torch.ones(1, 1).long()}}, ["E745"]),
        ([[1]], {"inputs": {"idz": torch.ones(1, 1).long()}}, ["E711"]),
        ([[1]], {"module": {}}, ["E607"]),
        ([[1]], {"module": None}, ["E607"]),
        ([[1]], {"module": 3}, ["E607"]),
        ([[1]], {"module": {"source.table": 3}}, ["E607"]),
        ([[1]], {"module": torch.nn.Linear(2, 2, device="meta")}, ["E607"]),
        ([[1]], {"inputs": [1]}, ["E711"]),
    ],
)
def test_what_is_given(prompts: Any, more: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    assert refused(specs.decoder(tmp_path), prompts, **more) == expected


def test_what_generation_fills_in_is_left_out(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    with pytest.raises(SpecError) as raised:
        archspec.generate(spec, [[1]], max_new=2, inputs={"ids": torch.ones(1, 1).long()}, module=compiled(spec))
    (found,) = raised.value.diagnostics
    assert found.help == (
        "leave `ids` out of the inputs; what a row begins with is its prompt: `--prompt-ids`, in Python `prompts`"
    )


def test_stop_of_a_stream_and_of_text(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    ids = decoder(spec, compiled(spec))
    text = TextDecoder(ids, read_tokenizer(saved(tmp_path / "words", by_words(), {"eos_token": "<end>"})))
    for call in (ids.stream, ids.generate, text.stream, text.generate):
        for stop, message in (
            (5, "`stop` must be a list of ids, got 5"),
            ([[5]], "`stop` must be ids of 0 to 40, got [5]"),
        ):
            with pytest.raises(SpecError) as raised:
                call([[1]], max_new=2, stop=stop)
            assert [(one.code, one.message) for one in raised.value.diagnostics] == [("E744", message)]


@pytest.mark.parametrize("more", [{}, {"beams": 2}, {"log_probabilities": True}])
def test_options_that_leave_no_id(more: dict[str, Any], tmp_path: Path) -> None:
    """Ends, stops and bans are all ids together: none is left before `min_new`, and one is enough."""
    path = specs.decoder(tmp_path, end="[0, 1]").path
    path.write_text(edited(path.read_text("utf-8"), ("end: [0, 1]", "end: [0, 1], ban: [2, 3]")), encoding="utf-8")
    spec = load(path)
    with pytest.raises(SpecError) as raised:
        archspec.generate(spec, [[1]], max_new=3, min_new=1, stop=range(3, 41), module=compiled(spec), **more)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E744", "`min_new` is 1, but each of the 41 ids ends a row or is banned")
    (row,) = archspec.generate(spec, [[1]], max_new=3, min_new=3, stop=range(3, 40), module=compiled(spec), **more)
    assert row.ids == (40, 40, 40)
    (row,) = archspec.generate(spec, [[1]], max_new=3, stop=range(3, 41), module=compiled(spec), **more)
    assert (len(row.ids), row.ended) == (1, True)


def test_the_last_id_is_not_fed_back(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    (row,) = archspec.generate(spec, [[1] * 22], max_new=3, module=compiled(spec))
    assert len(row.ids) == 3


def test_a_flat_prompt_is_one_row(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec)
    found = archspec.generate(spec, [1, 2, 3], max_new=2, module=module)
    assert found == archspec.generate(spec, torch.tensor([[1, 2, 3]]), max_new=2, module=module)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mask": "all", "block": "transformer"}, ["E743", "E420"]),
        ({"mask": "causal | prefix(3)"}, ["E742"]),
        ({"mask": "causal | prefix(3)", "attention": ", scale: 1/length"}, ["E743", "E420"]),
        ({"more": "kinds: int64[batch, length] < 2", "source": ", types: {ids: kinds, count: 2}"}, ["E745"]),
        ({"end": "41"}, ["E746"]),
        ({"start": "41"}, ["E746"]),
        ({"end": "[3, 400]"}, ["E746"]),
    ],
)
def test_specs(options: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    assert refused(specs.decoder(tmp_path, **options), [[1]]) == expected


def test_logits_for_ids_that_are_not_taken(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    text = edited(spec.path.read_text("utf-8"), ("length] < vocab", "length] < 40"))
    spec.path.write_text(text, encoding="utf-8")
    assert refused(load(spec.path), [[1]]) == ["E746"]


def test_ids_without_a_bound(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    text = edited(spec.path.read_text("utf-8"), ("length] < vocab", "length]"))
    spec.path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        archspec.generate(load(spec.path), [[5000]], max_new=1, module={})
    assert codes(raised) == ["E746"]
    assert raised.value.diagnostics[0].help == "declare `int64[batch, length] < 41`"


MIXING = """
  flat: {block: rearrange, input: source, pattern: "b n d -> n b d"}
  mixed:
    block: transformer
    input: flat
    layers: 1
    residual: pre
    final_norm: true
    feed_forward: none
    attention: {heads: 2, mask: all}
  back: {block: rearrange, input: mixed, pattern: "n b d -> b n d"}
"""


LONG = """\
error[E741]: prompt 1 is empty and the spec has no start id
  = help: give at least one id, or a `start` in the spec's `decode`

error[E742]: row 2 needs 27 positions, but `ids` takes at most 24
  = note: the row starts with 24 ids and 4 are requested; the last one is not fed back
  = help: generate at most 1

error[E742]: row 3 needs 33 positions, but `ids` takes at most 24
  = note: the row starts with 30 ids and 4 are requested; the last one is not fed back
  = help: shorten the prompt by 6 or more
"""


@pytest.mark.parametrize("more", [{}, {"search": BeamSearch(beams=2)}], ids=["ids", "beams"])
@pytest.mark.parametrize("name", ["gpt2", "mistral-7b"])
def test_rows_that_find_no_room_are_named_before_anything_runs(name: str, more: dict[str, Any]) -> None:
    spec = load(name, reduced=True)
    made = decoder(spec, compiled(spec))
    made.logits_of = None  # type: ignore[method-assign, assignment]
    with pytest.raises(SpecError) as raised:
        made.generate([[1, 2], [], [1] * 24, [1] * 30], max_new=4, **more)
    assert str(raised.value) == LONG


@pytest.mark.parametrize("batch", ["batch", "3"])
def test_rows_that_mix(batch: str, tmp_path: Path) -> None:
    path = specs.decoder(tmp_path, nodes=MIXING).path
    text = edited(path.read_text("utf-8"), ("[batch, length", f"[{batch}, length"))
    path.write_text(text if batch == "batch" else edited(text, ("  batch: [1, 2, 4]\n", "")), encoding="utf-8")
    found = refused(load(path), [[1], [2], [3]])
    assert found[0] == "E743"


def test_sizes_that_cannot_grow_one_by_one(tmp_path: Path) -> None:
    length = "{min: 4, typical: 8, max: 24, multiple: 4}"
    spec = specs.decoder(tmp_path, length=length, attention=", scale: 1/length")
    assert refused(spec, [[1, 2, 3, 4]]) == ["E742"]
    assert refused(spec, [[1, 2, 3]], max_new=1) == ["E716"]
    assert refused(spec, [[1, 2, 3, 4, 5]], max_new=1) == ["E717"]


def test_a_spec_without_decode() -> None:
    with pytest.raises(SpecError) as raised:
        archspec.generate("bert-base", [[1]], max_new=1, module={})
    assert codes(raised) == ["E740"]


def test_a_row_for_every_source() -> None:
    spec = load("t5-small", reduced=True)
    inputs = {"src_ids": torch.randint(97, (3, 6))}
    assert refused(spec, [[1], [2]], inputs=inputs) == ["E715"]
    assert refused(spec) == ["E712"]
    assert len(archspec.generate(spec, max_new=1, module=compiled(spec), inputs=inputs)) == 3


def test_another_module(tmp_path: Path) -> None:
    wide = specs.decoder(tmp_path, set=("d_model=32",))
    module = compiled(wide)
    with pytest.raises(SpecError) as raised:
        archspec.generate(specs.decoder(tmp_path), [[1]], max_new=1, module=module)
    assert codes(raised) == ["E607"]
    assert "`source.table` is [41, 32], not [41, 16]" in raised.value.diagnostics[0].notes


def test_the_module_is_left_as_it_was(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec).train()
    before = {name: one.clone() for name, one in module.state_dict().items()}
    archspec.generate(spec, [[1]], max_new=2, module=module)
    assert module.training
    assert all(one.requires_grad for one in module.parameters())
    assert all(torch.equal(one, before[name]) for name, one in module.state_dict().items())


def test_parameters_are_shared_and_not_copied(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec)
    found = decoder(spec, module)
    first = found.generate([[1, 2]], max_new=3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.neg_()
    assert found.generate([[1, 2]], max_new=3) != first


def test_a_bundle_generates_as_its_module(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec, torch.float32)
    bundle = build(spec, tmp_path / "built", weights=module.state_dict(), targets=())
    assert archspec.generate(bundle, [[1], [2, 3]], max_new=4) == archspec.generate(
        spec, [[1], [2, 3]], max_new=4, module=module
    )


@pytest.mark.slow
def test_a_compiled_module_and_one_in_half_precision(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    module = compiled(spec, torch.float32)
    plain = archspec.generate(spec, [[1, 2]], max_new=3, module=module)
    assert archspec.generate(spec, [[1, 2]], max_new=3, module=torch.compile(module, backend="eager")) == plain
    half = decoder(spec, module.bfloat16())
    step = next(half.stream([[1, 2]], max_new=1))
    assert step.logits.dtype == torch.bfloat16
    assert bool(step.logits.isfinite().all())
