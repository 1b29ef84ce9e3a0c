"""Decoding with the cached step against transformers' `generate`, and the cost of a step against the length."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from forward import emitted, reader, timed
from row import Row, spread

RUNS = 5
STEPS = 15
GIVEN, MADE = 32, 64
FIRST = 512


def decode_rows() -> list[Row]:
    """SmolLM2's sizes with random weights, float32, batch 1; every ratio is taken from alternating runs."""
    import torch

    theirs = smollm2()
    ours = emitted("smollm2-135m", theirs)
    with torch.inference_mode():
        return [
            _generation(ours, theirs, "module step", ours.step),
            _generation(ours, theirs, "compiled module step", _compiled(ours)),
            *_products(ours, theirs),
            *_lengths(ours),
            _first_token(ours, theirs),
        ]


def smollm2() -> Any:
    """Return transformers' model of SmolLM2-135M's sizes with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        tie_word_embeddings=True,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config).eval()


def _ids(count: int) -> Any:
    import torch

    return torch.randint(3, 49152, (1, count), generator=torch.Generator().manual_seed(0))


def _greedy(module: Any, step: Callable[..., Any], ids: Any, made: int) -> list[int]:
    """Greedy ids after `ids` int64[1, given], which the module takes at once; `step` takes each new id."""
    cache = module.new_cache(1, ids.shape[1] + made)
    new: list[int] = []
    for one in (module.step, *[step] * (made - 1)):
        logits, cache = one(ids, cache)
        ids = logits.argmax(-1, keepdim=True)
        new.append(int(ids))
    return new


def _compiled(module: Any) -> Callable[..., Any]:
    """The compiled step, whose products of one row inductor writes itself: it reads weights in order, MKL does not."""
    import torch
    from torch._inductor import config

    # Read once, when the first graph is compiled; the limit is on the sizes of a weight.
    config.post_grad_fusion_options["decompose_mm_pass"] = {"cpu_max_other_dimension_decomposition": 1 << 20}
    return torch.compile(module.step, fullgraph=True)


def _generation(ours: Any, theirs: Any, name: str, step: Callable[..., Any]) -> Row:
    """Whole generations in turn; both must choose the same ids."""
    ids = _ids(GIVEN)

    def generate() -> list[int]:
        found = theirs.generate(ids, max_new_tokens=MADE, min_new_tokens=MADE, do_sample=False, pad_token_id=0)
        return found[0, GIVEN:].tolist()

    same = _greedy(ours, step, ids, MADE) == generate()
    runs = [(timed(lambda: _greedy(ours, step, ids, MADE)), timed(generate)) for _ in range(RUNS)]
    mine, peers = (list(column) for column in zip(*runs, strict=True))
    detail = f"{MADE / median(mine):.2f} and {MADE / median(peers):.2f} tokens a second; "
    return Row(
        what=f"SmolLM2 size, {GIVEN} ids given, {MADE} made: {name} / transformers generate, time",
        value=median(mine) / median(peers),
        unit="x",
        bound=0.5,
        detail=detail + ("the same ids" if same else "OTHER ids"),
    )


def _products(ours: Any, theirs: Any) -> list[Row]:
    """What a step cannot go below: reading all weights once, and torch's products of one row with them.

    Transformers' step makes the same products, so that its time bounds what a step of torch operations can gain on it.
    """
    import torch

    weights = [one for one in ours.parameters() if one.dim() == 2]
    rows = {one.shape[1]: torch.ones(1, one.shape[1]) for one in weights}
    columns = [_by_columns(one) for one in weights]
    ids, cache, past = _ids(1), _at(ours, 100, 128), theirs(_ids(100), use_cache=True).past_key_values

    def multiply(matrices: list[Any]) -> None:
        for one in matrices:
            torch.nn.functional.linear(rows[one.shape[1]], one)

    timings = {
        "read": reader(weights),
        "products": lambda: multiply(weights),
        "columns": lambda: multiply(columns),
        "ours": lambda: ours.step(ids, cache),
        "theirs": lambda: theirs(ids, past_key_values=past, use_cache=True),
    }
    runs = [{name: timed(one) for name, one in timings.items()} for _ in range(STEPS)]
    took = {name: median(run[name] for run in runs) for name in timings}
    # A limit is what is reached at best.
    least = {name: min(run[name] for run in runs) for name in timings}
    size = sum(one.numel() for one in weights) * 4 / 1e9
    speeds = ", ".join(f"{name} {size / took[name]:.1f}" for name in timings)
    limit = "products of one row with all weights, nothing else / transformers' step"
    return [
        Row(
            what="a step's share of the read-bandwidth limit",
            value=100 * least["read"] / least["ours"],
            unit="%",
            detail=f"GB/s of weights: {speeds}; step {spread([run['ours'] for run in runs])}",
        ),
        Row(what=limit, value=took["products"] / took["theirs"], unit="x"),
        Row(what=f"{limit}, wide weights stored by columns", value=took["columns"] / took["theirs"], unit="x"),
    ]


def _by_columns(weight: Any) -> Any:
    """A weight [outputs, inputs] with the same values, stored by columns if it has at least as many outputs."""
    outputs, inputs = weight.shape
    return weight.t().contiguous().t() if outputs >= inputs else weight.clone()


def _at(module: Any, past: int, capacity: int) -> Any:
    """Return a cache in which the row has had `past` positions."""
    import torch

    cache = module.new_cache(1, capacity)
    return cache._replace(past=torch.full((1,), past), longest=past)


def _lengths(module: Any) -> list[Row]:
    """The 100th position with a large and a small capacity, and the 4,000th against the 100th."""
    small, large, late = (_at(module, past, size) for past, size in ((99, 128), (99, 4096), (3999, 4096)))
    ids = _ids(1)

    def step(cache: Any) -> Callable[[], Any]:
        return lambda: module.step(ids, cache)

    for cache in (small, large, late):
        step(cache)()
    runs = [tuple(timed(step(cache)) for cache in (small, large, late)) for _ in range(STEPS)]
    first, second, third = (list(column) for column in zip(*runs, strict=True))
    return [
        Row(
            what="step at position 100: capacity 4,096 / 128",
            value=median(second) / median(first),
            unit="x",
            bound=1.1,
            detail=f"{spread(second)}, {spread(first)}",
        ),
        Row(
            what="step at position 4,000 / 100, capacity 4,096",
            value=median(third) / median(second),
            unit="x",
            bound=1.5,
            detail=f"{spread(third)}, {spread(second)}",
        ),
    ]


def _first_token(ours: Any, theirs: Any) -> Row:
    """The prompt in one step, with the logits of its last position, against the peer's forward for one position."""
    ids = _ids(FIRST)

    def prefill() -> float:
        cache = ours.new_cache(1, FIRST + 1)
        started = time.perf_counter()
        ours.step(ids, cache)
        return time.perf_counter() - started

    def forward() -> None:
        theirs(ids, use_cache=True, logits_to_keep=1)

    prefill(), forward()
    runs = [(prefill(), timed(forward)) for _ in range(STEPS)]
    mine, peers = (list(column) for column in zip(*runs, strict=True))
    return Row(
        what=f"first token, {FIRST} ids given / transformers forward with logits_to_keep=1",
        value=median(mine) / median(peers),
        unit="x",
        bound=1.05,
        detail=f"{spread(mine)}, {spread(peers)}",
    )
