"""Generation with a cache gives the ids of the full forward, whatever the chunks and whichever rows have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from archspec.checking import accepted
from archspec.decoding import Decoder
from archspec.decoding.sampling import Sampling
from archspec.decoding.step_module import StepModule
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.decoding.running import compiled, largest_difference
from tests.editing import edited

PROMPTS = [[5, 6, 7], [1], [9, 8, 7, 6, 5, 4, 3], [2, 3]]


def both(spec: Spec, **how: int) -> tuple[Decoder, Decoder]:
    """The same parameters with a cache and without."""
    state = compiled(spec).state_dict()
    return Decoder(accepted(spec), state, **how), Decoder(accepted(spec), state, cached=False)


@pytest.mark.parametrize(
    ("name", "chunk"), [("gpt2", 1), ("gemma-2-2b", 3), ("mistral-7b", 2), ("mixtral-8x7b", 3), ("t5-small", 2)]
)
def test_long_prompts_are_fed_in_chunks(name: str, chunk: int) -> None:
    spec = load(name, reduced=True)
    inputs: dict[str, Tensor] = {}
    if "src_ids" in spec.inputs:
        inputs = {"src_ids": torch.arange(12).reshape(3, 4), "src_valid": torch.ones(3, 4).bool()}
    assert largest_difference(spec, PROMPTS[:3], inputs, max_new=3, chunk=chunk) < 1e-10


@pytest.mark.parametrize("options", [{"mask": "last(3)"}, {"batch": "{min: 2, typical: 2, max: 4, multiple: 2}"}])
def test_rows_that_end_leave_the_cache(options: dict[str, str], tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, end="[4, 9, 17, 30, 2, 12, 25, 38]", **options)
    cached, full = both(spec, chunk=2)
    drawn = Sampling(temperature=3, seed=1)
    steps = list(cached.stream(PROMPTS, max_new=12, sampling=drawn))
    assert {len(step.rows) for step in steps} >= {2, 4}
    for step, expected in zip(steps, full.stream(PROMPTS, max_new=12, sampling=drawn), strict=True):
        assert (step.rows, step.ids) == (expected.rows, expected.ids)
        torch.testing.assert_close(step.logits, expected.logits, atol=1e-10, rtol=0)


def test_the_cache_shrinks_with_its_rows(tmp_path: Path) -> None:
    cached, _ = both(specs.decoder(tmp_path))
    sequences = [list(prompt) for prompt in PROMPTS]
    steps = cached.logits_of(sequences, {}, 4)
    with torch.no_grad():
        for rows, kept in (([0, 1, 2, 3], 4), ([0, 1, 3], 4), ([1, 3], 2), ([3], 1)):
            steps.logits(rows)
            assert len(steps.rows.cache.past) == kept
            for row in rows:
                sequences[row].append(1)
    assert steps.rows.cache.past.tolist() == [5]


def test_a_step_computes_new_positions_alone(tmp_path: Path) -> None:
    """No tensor of a step has the positions that came before, but for what is kept."""
    cached, _ = both(specs.decoder(tmp_path))
    assert isinstance(cached.runs, StepModule)
    seen: list[int] = []
    for layer in cached.runs.module.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[1]))
    cached.generate([[1, 2, 3, 4]], max_new=3)
    assert set(seen) == {4, 1}


def test_what_has_no_step_runs_in_full(tmp_path: Path) -> None:
    found, _ = both(specs.decoder(tmp_path, attention=", scale: 1/length"))
    assert found.refused is not None
    assert found.refused.code == "E748"
    assert not isinstance(found.runs, StepModule)
    assert both(specs.decoder(tmp_path))[0].refused is None


def test_parameters_of_other_outputs_may_be_missing(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    text = spec.path.read_text("utf-8")
    node = "  more: {block: linear, input: states, dim: 3}\noutputs:\n  more: float[batch, length, 3]\n"
    text = edited(text, ("outputs:\n", node))
    spec.path.write_text(text, encoding="utf-8")
    state = compiled(load(spec.path)).state_dict()
    expected = Decoder(accepted(load(spec.path)), state).generate([[1, 2]], max_new=3)
    less = {name: one for name, one in state.items() if not name.startswith("more.")}
    assert len(less) < len(state)
    assert Decoder(accepted(load(spec.path)), less).generate([[1, 2]], max_new=3) == expected
    del less["source.table"]
    with pytest.raises(SpecError) as raised:
        Decoder(accepted(load(spec.path)), less)
    assert raised.value.diagnostics[0].code == "E607"


@pytest.mark.parametrize("mask", ["causal | prefix(3)", "last(2) | prefix(3)", "causal | prefix(given)"])
def test_prompts_cover_a_prefix(mask: str, tmp_path: Path) -> None:
    more = "given: int64[batch]" if "given" in mask else ""
    spec = specs.decoder(tmp_path, mask=mask, more=more)
    prompts = [[5, 6, 7], [1, 2, 3, 4], [9, 8, 7, 6, 5, 4]]
    inputs = {"given": torch.tensor([3, 0, 5])} if more else {}
    module = compiled(spec)
    for cached in (True, False):
        assert largest_difference(spec, prompts, inputs, module=module, cached=cached, chunk=2) < 1e-10
    with pytest.raises(SpecError) as raised:
        Decoder(accepted(spec), module.state_dict()).stream([[1, 2], *prompts[1:]], max_new=2, inputs=inputs)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E742", "row 0 starts with 2 ids, but its prefix covers 3")


def test_inputs_over_pairs_of_positions(tmp_path: Path) -> None:
    more = 'pairs: {type: "float[batch, 1, length, length]", default: 0.5}'
    spec = specs.decoder(tmp_path, more=more, attention=", multiply_scores: pairs")
    assert largest_difference(spec, PROMPTS, max_new=3, chunk=2) < 1e-10


def test_a_chunk_has_a_position(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    with pytest.raises(SpecError) as raised:
        Decoder(accepted(spec), compiled(spec).state_dict(), chunk=0)
    assert [one.code for one in raised.value.diagnostics] == ["E744"]
