"""The emitted modules of tensor ranks, run at once on gloo, give what the whole module gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from archspec.checking import accepted
from archspec.ir.parts import part_of_parameter
from archspec.lower.rank_programs import rank_plan
from archspec.spec import load
from tests.parallel.emitted import differs, emitted, loaded, outputs, whole
from tests.parallel.ranks import Ranks

BOUND = 1e-10
CASES = [
    ("gpt2", 2, ["vocab=96"]),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (
            ("llama-3.2-1b", 4, ["vocab=96"]),
            ("t5-base", 2, ["vocab=96"]),
            ("vit-b16", 2, []),
            ("mixtral-8x7b", 2, []),
            ("resnet-50", 2, []),
        )
    ),
]


def on_rank(
    name: str, texts: Sequence[str], states: Sequence[Mapping[str, Tensor]], inputs: Mapping[str, Tensor]
) -> list[Tensor]:
    """What one rank gives."""
    rank = torch.distributed.get_rank()
    module = loaded(texts[rank])[name]().double()
    module.load_state_dict(dict(states[rank]), strict=True)
    with torch.no_grad():
        return outputs(module.eval(), inputs)


def test_modules_of_ranks_do_not_train() -> None:
    spec = load("gpt2", reduced=True, set=["vocab=96"])
    split = rank_plan(spec, 2)
    module = loaded(split.texts(accepted(spec))[0])[split.module]()
    with pytest.raises(RuntimeError, match="modules of ranks do not train"):
        module(torch.zeros(1, 3, dtype=torch.int64))


def test_an_id_beyond_the_vocabulary_raises() -> None:
    spec = load("gpt2", reduced=True, set=["vocab=96"])
    split = rank_plan(spec, 2)
    for text in split.texts(accepted(spec)):
        module = loaded(text)[split.module]()
        for number in (96, -1):
            with torch.no_grad(), pytest.raises(IndexError, match="index out of range"):
                module(torch.full((1, 3), number))


@pytest.mark.parametrize(("name", "count", "more"), CASES)
def test_modules_of_ranks_give_what_the_whole_gives(name: str, count: int, more: list[str], ranks: Ranks) -> None:
    spec = load(name, reduced=True, set=more)
    split, (texts, _) = rank_plan(spec, count), emitted(spec, count)
    module = whole(texts)
    state = {key: one.numpy() for key, one in module.state_dict().items()}
    states = [
        {key: torch.tensor(part_of_parameter(one, split.placements[key], rank, count)) for key, one in state.items()}
        for rank in range(count)
    ]
    inputs = {key: one.double() if one.is_floating_point() else one for key, one in texts.inputs.items()}
    with torch.no_grad():
        wanted = outputs(module, inputs)
    for found in ranks.run(count, on_rank, split.module, split.texts(accepted(spec)), states, inputs):
        assert max(differs(one, other) for one, other in zip(found, wanted, strict=True)) <= BOUND
