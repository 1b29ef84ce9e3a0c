"""Beam search finds the best sequence where it keeps all of them, and else what transformers finds."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

import archspec
from archspec import weights
from archspec.checking import accepted
from archspec.decoding import Decoder, Generated, decoder
from archspec.decoding.beams import BeamSearch, largest
from archspec.decoding.sampling import Sampling
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.decoding.running import compiled
from tests.decoding.test_peers import SMALL, peer

NEW, VOCAB, END = 4, 4, 3
PROMPTS = [[1, 2], [0], [1, 1, 1, 2, 0]]
WIDE = "dims.batch=[1, 2, 400]"


def best(module: nn.Module, prompt: list[int], length_penalty: float, min_new: int) -> tuple[float, tuple[int, ...]]:
    """The best of all sequences of new ids, one by one."""
    ids = torch.tensor([[*prompt, *more] for more in product(range(VOCAB), repeat=NEW)])
    with torch.no_grad():
        likely = module(ids[:, :-1]).log_softmax(-1)[:, len(prompt) - 1 :]
    found = []
    for row, chosen in zip(likely, ids[:, len(prompt) :].tolist(), strict=True):
        length = chosen.index(END) + 1 if END in chosen else NEW
        total = sum(float(row[place, chosen[place]]) for place in range(length))
        if length > min_new or END not in chosen:
            found.append((total / length**length_penalty, tuple(chosen[:length])))
    return max(found)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    ("length_penalty", "min_new", "options"),
    [(1.0, 0, {}), (0.0, 2, {"mask": "last(2)"}), (3.0, 0, {"mask": "causal | prefix(1)"}), (-1.0, 1, {})],
)
def test_enough_beams_find_the_best(
    length_penalty: float, min_new: int, options: dict[str, str], cached: bool, tmp_path: Path
) -> None:
    spec = specs.decoder(tmp_path, set=(f"constants.vocab={VOCAB}", WIDE), end=str(END), **options)
    module = compiled(spec)
    found = Decoder(accepted(spec), module.state_dict(), cached=cached, chunk=2)
    search = BeamSearch(beams=VOCAB**3, length_penalty=length_penalty, early_stopping="never")
    rows = found.generate(PROMPTS, max_new=NEW, min_new=min_new, search=search, log_probabilities=True)
    for row, prompt in zip(rows, PROMPTS, strict=True):
        score, ids = best(module, prompt, length_penalty, min_new)
        assert row.ids == ids
        assert row.ended == (END in ids)
        assert row.score == pytest.approx(score, abs=1e-10)
        assert row.log_probabilities is not None
        assert sum(row.log_probabilities) == pytest.approx(score * len(ids) ** length_penalty, abs=1e-10)


@pytest.mark.parametrize(
    ("beams", "length_penalty", "early_stopping"), [(2, 1.0, False), (3, 0.4, True), (5, 2.0, "never")]
)
def test_rows_do_not_depend_on_each_other_or_on_the_cache(
    beams: int, length_penalty: float, early_stopping: bool | Literal["never"], tmp_path: Path
) -> None:
    spec = specs.decoder(tmp_path, set=(WIDE,), end="[4, 9, 17, 30]", mask="last(4)")
    state = compiled(spec).state_dict()
    search = BeamSearch(beams=beams, length_penalty=length_penalty, early_stopping=early_stopping)
    limits: dict[str, Any] = {"max_new": 9, "stop": [2, 12], "sampling": Sampling(repetition_penalty=1.4)}
    limits["search"] = search
    rows = Decoder(accepted(spec), state).generate(PROMPTS, **limits)
    full = Decoder(accepted(spec), state, cached=False)
    alone = [full.generate([prompt], **limits)[0] for prompt in PROMPTS]
    assert [row.ids for row in rows] == [row.ids for row in alone]
    assert [row.score for row in rows] == pytest.approx([row.score for row in alone], abs=1e-10)
    assert any(row.ended for row in rows)


def test_ended_prompts_leave_the_cache(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, set=("dims.batch={min: 2, typical: 2, max: 40, multiple: 2}",), end=str(END))
    found = decoder(spec, compiled(spec))
    prompts = [*PROMPTS, [7]]
    free = found.generate(prompts, max_new=9, search=BeamSearch(beams=3))
    stop = [free[0].ids[0], free[0].ids[1]]
    rows = found.generate(prompts, max_new=9, stop=stop, search=BeamSearch(beams=3, early_stopping=True))
    assert len({len(row.ids) for row in rows}) > 1
    for row, prompt in zip(rows, prompts, strict=True):
        pair = found.generate([prompt] * 2, max_new=9, stop=stop, search=BeamSearch(beams=3, early_stopping=True))
        assert [one.ids for one in pair] == [row.ids] * 2


def same(rows: tuple[Generated, ...], given: list[list[int]], model: Any, **options: Any) -> None:
    """Ids and scores of rows are those that the peer finds for what each row is given."""
    for row, ids in zip(rows, given, strict=True):
        expected = model.generate(
            torch.tensor([ids]), max_new_tokens=9, return_dict_in_generate=True, output_scores=True, **options
        )
        found, length = expected.sequences[0].tolist(), len(row.prompt) + len(row.ids)
        assert found == [*row.prompt, *row.ids, *[0] * (len(found) - length)]
        assert row.score == pytest.approx(float(expected.sequences_scores[0]), abs=1e-5)


SEARCHES: list[dict[str, Any]] = [
    {"num_beams": 4},
    {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True, "repetition_penalty": 1.3},
    {"num_beams": 5, "length_penalty": -0.5, "early_stopping": "never"},
]


def found_by(spec: Spec, peer: nn.Module, prompts: Any, options: dict[str, Any], **more: Any) -> tuple[Generated, ...]:
    """What our search finds with the peer's weights and options."""
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(peer.state_dict())), strict=True)
    own = {"beams" if name == "num_beams" else name: one for name, one in options.items()}
    return archspec.generate(spec, prompts, max_new=9, module=module, **own, **more)


@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b"])
def test_decoders_search_as_transformers_does(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    sizes: dict[str, Any] = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 0}
    if name == "gpt2":
        config = transformers.GPT2Config(n_positions=24, n_embd=32, n_layer=2, n_head=4, n_inner=48, **sizes)
        own, model = {"context": "24", "dims.length": "[1, 8, context]"}, peer("GPT2LMHeadModel", config)
    else:
        sizes |= {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = transformers.LlamaConfig(num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0, **sizes)
        own, model = {"kv_heads": "2"}, peer("LlamaForCausalLM", config)
    prompts, ends = [[5, 6, 7], [1], [9, 8, 7, 6, 5]], list(range(20, 36))
    spec = load(name, set={**SMALL, **own, "decode.end": str(ends)})
    lengths = set()
    for options in SEARCHES:
        rows = found_by(spec, model, prompts, options, min_new=2)
        same(rows, prompts, model, eos_token_id=ends, pad_token_id=0, min_new_tokens=2, **options)
        lengths |= {len(row.ids) for row in rows}
    assert len(lengths) > 1


def test_encoder_decoders_search_as_transformers_does() -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 50, "d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    config = transformers.T5Config(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0, **sizes)
    model = peer("T5ForConditionalGeneration", config)
    spec = load("t5-small", set={**SMALL, "head_dim": "6"})
    sources = torch.randint(2, 50, (3, 7), generator=torch.Generator().manual_seed(0))
    valid = torch.arange(7) < torch.tensor([7, 3, 5])[:, None]
    for options in SEARCHES:
        rows = found_by(spec, model, None, options, inputs={"src_ids": sources, "src_valid": valid})
        same(rows, [row[kept].tolist() for row, kept in zip(sources, valid, strict=True)], model, **options)


def test_equal_sequences_are_ordered(tmp_path: Path) -> None:
    values = torch.randint(0, 4, (200,), generator=torch.Generator().manual_seed(0)).double()
    values[::7] = -math.inf
    finite = [place for place in range(200) if values[place] > -math.inf]
    order = sorted(finite, key=lambda place: (-float(values[place]), place))
    for count in (1, 50, 170, 300):
        assert largest(values, count).tolist() == order[:count]
    spec = specs.decoder(tmp_path, set=(WIDE,), end="5")
    module = compiled(spec)
    for one in module.parameters():
        nn.init.zeros_(one)
    (row,) = archspec.generate(spec, [[1]], module=module, max_new=3, beams=3)
    assert row.ids == (0, 0, 0)
    assert row.score == pytest.approx(-math.log(41))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "`beams` must be at least 1, got 0"),
        ({"length_penalty": 2.0}, "`length_penalty` has no effect with one beam"),
        ({"beams": 2, "length_penalty": math.inf}, "`length_penalty` must be from -20 to 20, got inf"),
        ({"beams": 2, "length_penalty": 1e5}, "`length_penalty` must be from -20 to 20, got 100000.0"),
        ({"beams": 2, "length_penalty": "1"}, "`length_penalty` must be a number, got '1'"),
        ({"beams": 2.0}, "`beams` must be a whole number, got 2.0"),
        ({"beams": 2, "early_stopping": "late"}, "`early_stopping` must be true, false or `never`, got `late`"),
        ({"beams": 2, "temperature": 1.0}, "beam search keeps the most likely sequences, but `temperature` is 1.0"),
        ({"beams": 3}, "3 beams for each of 2 prompts need 6 rows, but the batch takes at most 4"),
    ],
)
def test_what_a_search_refuses(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    with pytest.raises(SpecError) as raised:
        archspec.generate(spec, [[1], [2]], module=compiled(spec), max_new=2, **options)
    assert [(one.code, one.message) for one in raised.value.diagnostics] == [("E744", message)]


def test_searches_are_not_streamed(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path)
    with pytest.raises(SpecError) as raised:
        decoder(spec, compiled(spec)).stream([[1]], max_new=2, search=BeamSearch(beams=2))
    assert "cannot be streamed" in raised.value.diagnostics[0].message
