"""Every request of slots gives what it gives alone, whatever enters and leaves beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.checking import accepted
from archspec.decoding import Decoder, DecodingSlots, DecodingStep, Sampling, decoder
from archspec.decoding.step_module import StepModule
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.decoding.running import compiled
from tests.decoding.test_steps import VALID
from tests.steps import steps_here

END = "[4, 9, 17, 30, 2, 12, 25, 38]"
KINDS = 'kinds: {type: "int64[batch, length] < 2", default: 1}'


def requests(count: int, seed: int, vocab: int, most: int, least: int = 1) -> list[dict[str, Any]]:
    """Random requests, greedy and drawn, with prompts shorter and longer than a chunk."""
    random = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=random))

    found = []
    for place in range(count):
        length = number(least, most - 1)
        sampling = Sampling(temperature=2.0, seed=place) if place % 2 else Sampling(repetition_penalty=1.3)
        prompt = torch.randint(vocab, (length,), generator=random).tolist()
        max_new = number(1, most - length + 1)
        limits: dict[str, Any] = {"max_new": max_new, "min_new": number(0, max_new + 1), "sampling": sampling}
        found.append({"prompt": prompt, "stop": [number(0, vocab)], **limits})
    return found


def alone(
    decoder: Decoder, prompt: list[int], inputs: dict[str, Any] | None = None, **limits: Any
) -> list[DecodingStep]:
    """The steps of the full forward on one prompt, which is row 0; others only fill up the batch."""
    assert isinstance(decoder.runs, StepModule)
    full = Decoder(accepted(decoder.plan.spec), decoder.runs.module.state_dict(), cached=False)
    steps = full.stream([prompt] * decoder.plan.batch(1), inputs=inputs, **limits)
    return [step for step in steps if step.rows[0] == 0]


def check(
    decoder: Decoder, asked: list[dict[str, Any]], *, rows: int, capacity: int, seed: int, **more: Any
) -> DecodingSlots:
    """Let requests arrive at random steps; ids and logits of each are those of the full forward on it alone."""
    random = torch.Generator().manual_seed(seed)
    slots = decoder.slots(rows=rows, capacity=capacity, **more)
    expected = [alone(decoder, **one) for one in asked]
    seen = [0] * len(asked)
    left = list(range(len(asked)))
    while left or slots.pending:
        for _ in range(int(torch.randint(0, 3, (), generator=random)) if slots.pending else 1):
            if left:
                number = left.pop(0)
                assert slots.add(**asked[number], log_probabilities=number == 0) == number
        step = slots.step()
        for request, id, logits in zip(step.rows, step.ids, step.logits, strict=True):
            other = expected[request][seen[request]]
            assert other.ids[0] == id
            torch.testing.assert_close(logits, other.logits[0], atol=1e-10, rtol=0)
            seen[request] += 1
    assert seen == list(map(len, expected))
    for number, steps in enumerate(expected):
        found = slots.take(number)
        assert found is not None
        assert list(found.ids) == [one.ids[0] for one in steps]
        assert slots.take(number) is None
        if number == 0:
            assert found.log_probabilities == pytest.approx([one.log_probabilities()[0] for one in steps])
    return slots


@pytest.mark.parametrize(
    ("rows", "options", "least"),
    [
        (3, {}, 1),
        (2, {"mask": "last(4)", "source": "", "attention": specs.ROTARY}, 1),
        (3, {"more": VALID["left"], "mask": "causal & key_valid(valid)", "source": "", "attention": specs.ROTARY}, 1),
        (3, {"more": KINDS, "source": ", types: {ids: kinds, count: 2}", "start": "3"}, 1),
        (2, {"mask": "last(2) | prefix(3)"}, 3),
        (3, {"batch": "{min: 2, typical: 2, max: 4, multiple: 2}", "attention": specs.ALIBI, "source": ""}, 1),
        (2, {"length": "{min: 8, typical: 8, max: 24, multiple: 4}", "batch": "[3, 3, 3]"}, 1),
    ],
)
def test_requests_give_what_they_give_alone(rows: int, options: dict[str, Any], least: int, tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, end=END, **options)
    decoder = Decoder(accepted(spec), compiled(spec).state_dict(), chunk=4)
    most = 20 if "multiple: 4" in str(options) else 23
    check(decoder, requests(9, 2, 41, most, least), rows=rows, capacity=24 if most == 23 else 20, seed=rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b", "mistral-7b", "gemma-2-2b", "mixtral-8x7b"])
def test_shipped_specs(name: str) -> None:
    spec = load(name, reduced=True)
    decoder = Decoder(accepted(spec), compiled(spec).state_dict(), chunk=3)
    check(decoder, requests(8, 5, decoder.plan.vocab, 15), rows=3, capacity=16, seed=1)


def sourced(asked: list[dict[str, Any]], vocab: int, length: int) -> list[dict[str, Any]]:
    """Each request with a source of its own, padded to one length."""
    random = torch.Generator().manual_seed(9)
    found = []
    for number, one in enumerate(asked):
        ids = torch.randint(vocab, (1, length), generator=random)
        valid = torch.arange(length)[None] < 1 + (3 * number + 2) % length
        found.append({**one, "inputs": {"src_ids": ids, "src_valid": valid}})
    return found


@pytest.mark.parametrize("name", ["t5-small", "transformer-base"])
def test_each_request_has_a_source_of_its_own(name: str) -> None:
    """The memory is made once, for the row that a request enters."""
    spec = load(name, reduced=True)
    decoder = Decoder(accepted(spec), compiled(spec).state_dict(), chunk=3)
    asked = sourced(requests(7, 3, decoder.plan.vocab, 7), decoder.plan.vocab, 6)
    check(decoder, asked, rows=3, capacity=8, seed=2, sizes={"src": 6})


def test_a_memory_is_made_once_for_the_row_that_enters() -> None:
    spec = load("t5-small", reduced=True)
    slots = Decoder(accepted(spec), compiled(spec).state_dict()).slots(rows=2, capacity=8, sizes={"src": 6})
    runs: list[int] = []
    runner = slots._rows.stepped
    assert isinstance(runner, StepModule)
    runner.module.memory.register_forward_hook(lambda module, given, made: runs.append(len(made)))
    for one in sourced([{"prompt": [], "max_new": 3}] * 3, 97, 6):
        slots.add(**one)
    list(slots.run())
    assert runs == [1, 1, 1]


@pytest.mark.slow
def test_a_built_step_has_slots_for_sources(tmp_path: Path) -> None:
    spec = load("t5-small", reduced=True)
    module = compiled(spec, torch.float32)
    save_file({name: one.contiguous() for name, one in module.state_dict().items()}, tmp_path / "w.safetensors")
    with steps_here():
        bundle = archspec.build(spec, tmp_path / "bundle", weights=tmp_path / "w.safetensors")
    made = decoder(bundle)
    assert made.chosen.startswith("onnx")
    slots = made.slots(rows=2, capacity=8, sizes={"src": 6})
    asked = sourced([{"prompt": [], "max_new": new} for new in (5, 2, 4, 3)], 97, 6)
    numbers = [slots.add(**one) for one in asked]
    list(slots.run())
    for number, one in zip(numbers, asked, strict=True):
        found = slots.take(number)
        (wanted,) = archspec.generate(spec, None, module=module, max_new=one["max_new"], inputs=one["inputs"])
        assert found is not None and found.ids == wanted.ids


def test_other_rows_are_not_touched(tmp_path: Path) -> None:
    """The rows beside one that begins anew are kept bit for bit."""
    spec = specs.decoder(tmp_path, mask="last(4)")
    slots = Decoder(accepted(spec), compiled(spec).state_dict()).slots(rows=2, capacity=12)
    slots.add([1, 2, 3], max_new=1)
    slots.add([4, 5], max_new=6)
    assert slots.step().rows == (0, 1)
    before = [one.clone() for one in slots._rows.cache if isinstance(one, torch.Tensor)]
    slots._rows.begin([0])
    after = [one for one in slots._rows.cache if isinstance(one, torch.Tensor)]
    assert slots._rows.past == [0, 2]
    for one, other in zip(before[1:], after[1:], strict=True):
        assert torch.equal(one, other)


def test_a_step_without_requests_is_empty(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    slots = Decoder(accepted(spec), compiled(spec).state_dict()).slots(rows=2, capacity=12)

    def empty(step: DecodingStep) -> bool:
        return (step.rows, step.ids, step.log_probabilities(), tuple(step.logits.shape)) == ((), (), [], (0, 41))

    assert empty(slots.step())
    request = slots.add([1, 2, 3], max_new=2)
    list(slots.run())
    assert empty(slots.step())
    again = slots.add([1, 2, 3], max_new=2)
    assert [step.rows for step in slots.run()] == [(again,), (again,)]
    assert slots.take(request) == slots.take(again)


def refused(
    spec: Spec, *, rows: int = 2, capacity: int = 12, cached: bool = True, **more: Any
) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as raised:
        Decoder(accepted(spec), compiled(spec).state_dict(), cached=cached).slots(rows=rows, capacity=capacity, **more)
    return [(one.code, one.message) for one in raised.value.diagnostics]


def test_what_slots_refuse(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    assert refused(spec, rows=0, capacity=30) == [
        ("E744", "`rows` must be from 1 to 4, got 0"),
        ("E744", "`capacity` must be from 1 to 24, got 30"),
    ]
    wrong: dict[str, Any] = {"rows": 2.0, "capacity": "8", "sizes": {"src": None}}
    assert refused(spec, **wrong) == [
        ("E744", "`rows` must be a whole number, got 2.0"),
        ("E744", "`capacity` must be a whole number, got '8'"),
        ("E744", "`sizes[src]` must be a whole number, got None"),
    ]
    assert refused(spec, sizes=3) == [("E744", "`sizes` must be a map from names of dims to sizes, got 3")]
    assert refused(load("t5-small", reduced=True), sizes={"src": -1}) == [
        ("E744", "`sizes[src]` must not be negative, got -1")
    ]
    assert refused(spec, cached=False) == [("E744", "slots are rows of a cache, but this decoder has none")]
    assert refused(load("t5-small", reduced=True)) == [
        ("E744", "`sizes` must have `src`, which inputs of the requests have")
    ]
    assert refused(spec, sizes={"src": 3}) == [
        ("E744", "`sizes` has `src`, which is no dim of inputs that requests give")
    ]
    assert refused(specs.decoder(tmp_path, attention=", scale: 1/length"))[0][0] == "E748"
    slots = Decoder(accepted(spec), compiled(spec).state_dict()).slots(rows=1, capacity=8)
    given: list[tuple[Any, int, Any, str]] = [
        ([1] * 4, 6, (), "E742"),
        ([41], 1, (), "E718"),
        ([], 1, (), "E741"),
        ([1], 0, (), "E744"),
        ([1], 1, 5, "E744"),
        (5, 1, (), "E713"),
        ({5}, 1, (), "E713"),
        ([[5]], 1, (), "E713"),
        ("5", 1, (), "E713"),
    ]
    for prompt, new, stop, code in given:
        with pytest.raises(SpecError) as raised:
            slots.add(prompt, max_new=new, stop=stop)
        assert raised.value.diagnostics[0].code == code, prompt
    assert slots.pending == 0
    assert list(slots.run()) == []


def test_sources_that_do_not_fit_the_slots() -> None:
    spec = load("t5-small", reduced=True)
    slots = Decoder(accepted(spec), compiled(spec).state_dict()).slots(rows=2, capacity=8, sizes={"src": 6})
    ids = torch.ones(1, 5).long()
    for inputs, code, message in (
        ({"src_ids": ids}, "E716", "`src` is 5 in the inputs of the request, and 6 in the slots"),
        ({"src_ids": ids.expand(2, 5)}, "E716", "`src_ids` has 2 rows, and a request is one row"),
        (None, "E712", "the input `src_ids` is missing"),
    ):
        with pytest.raises(SpecError) as raised:
            slots.add([], max_new=2, inputs=inputs)
        assert (raised.value.diagnostics[0].code, raised.value.diagnostics[0].message) == (code, message)
    assert slots.pending == 0
