"""Every step gives what the full forward gives, for each row alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from archspec.checking import accepted
from archspec.decoding import Decoder
from archspec.decoding.sampling import Sampling
from archspec.decoding.step_module import StepModule
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.decoding import specs
from tests.decoding.running import compiled, largest_difference

PROMPTS = [[5, 6, 7], [1], [9, 8, 7, 6, 5]]
EXACT = {torch.float32: 1e-5, torch.float64: 1e-10}

DECODERS = [
    path.stem for path in sorted(shipped_specs_dir().glob("*.yaml")) if "\ndecode:" in path.read_text(encoding="utf-8")
]


def source(vocab: int) -> dict[str, Tensor]:
    """Three sources: one whole, one padded at the right, one with padding inside."""
    ids = torch.randint(vocab, (3, 6), generator=torch.Generator().manual_seed(0))
    return {"src_ids": ids, "src_valid": torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0], [0, 1, 1, 0, 1, 1]]).bool()}


def test_decoders_say_how_they_decode() -> None:
    assert {"gpt2", "llama-3-8b", "smollm2-135m", "mixtral-8x7b", "t5-small", "transformer-base"} <= set(DECODERS)


@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("name", DECODERS)
def test_shipped_specs(name: str, dtype: torch.dtype) -> None:
    spec = load(name, reduced=True)
    inputs = source(97) if "src_ids" in spec.inputs else {}
    if "features" in spec.inputs:
        sizes = [size.constant or len(PROMPTS) for size in spec.inputs["features"].type.shape]
        inputs = {"features": torch.randn(sizes, generator=torch.Generator().manual_seed(0)).to(dtype)}
    prompts = [prompt[:2] for prompt in PROMPTS] if inputs else PROMPTS
    module = compiled(spec, dtype)
    assert largest_difference(spec, prompts, inputs, dtype=dtype, module=module) < EXACT[dtype] * scale(module)


def scale(module: torch.nn.Module) -> float:
    """Room for rounding: parameters this large give logits of some tens."""
    return 10.0 if next(module.parameters()).dtype == torch.float32 else 1.0


VALID = {side: f'valid: {{type: "bool[batch, length]", default: true, padding: {side}}}' for side in ("any", "left")}
REQUIRED = 'valid: {type: "bool[batch, length]", padding: right}'
PLACES = "places: int64[batch, length] < context"
KINDS = 'kinds: {type: "int64[batch, length] < 2", default: 1}'
BOTH = "causal & key_valid(valid)"


@pytest.mark.parametrize(
    ("side", "options"),
    [
        ("right", {}),
        ("right", {"source": "", "attention": specs.ROTARY}),
        ("right", {"source": "", "attention": specs.ALIBI, "mask": "last(3)"}),
        ("right", {"more": VALID["any"], "mask": BOTH}),
        ("right", {"more": REQUIRED, "mask": BOTH, "source": specs.COUNTED}),
        ("right", {"length": "{min: 8, typical: 8, max: 24, multiple: 4}", "batch": "[2, 2, 4]"}),
        ("right", {"positions": "12"}),
        (
            "right",
            {"more": PLACES, "source": "", "attention": ", positions: {kind: rotary, layout: half, ids: places}"},
        ),
        ("right", {"more": PLACES, "source": ", positions: {kind: learned, length: context, ids: places}"}),
        ("right", {"more": KINDS, "source": ", types: {ids: kinds, count: 2}"}),
        ("left", {"more": VALID["left"], "mask": BOTH, "source": specs.COUNTED}),
        ("left", {"more": VALID["left"], "mask": BOTH, "source": "", "attention": specs.ROTARY}),
        ("left", {"more": VALID["left"], "mask": f"{BOTH} & last(3)", "source": "", "attention": specs.ALIBI}),
        ("left", {"more": VALID["left"], "mask": BOTH, "source": specs.COUNTED, "batch": "[4, 4, 4]"}),
        ("none", {"more": VALID["left"], "mask": BOTH}),
        ("none", {"more": VALID["left"], "mask": "causal", "source": specs.COUNTED}),
        ("none", {"attention": ", scale: 1/length"}),
        ("none", {"attention": ", scale: 1/length", "batch": "[2, 2, 4]"}),
    ],
)
def test_prompts_of_different_lengths(side: str, options: dict[str, str], tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, **options)
    prompts = PROMPTS[:2] + PROMPTS[1:] if options.get("batch") == "[4, 4, 4]" else PROMPTS
    module = compiled(spec)
    assert Decoder(accepted(spec), module.state_dict(), cached=False).plan.side == side
    assert largest_difference(spec, prompts, module=module) < 1e-10
    assert largest_difference(spec, prompts, module=module, cached=False) < 1e-10


def test_a_table_that_only_the_source_embeds(tmp_path: Path) -> None:
    path = tmp_path / "two-tables.yaml"
    path.write_text(specs.TWO_TABLES, encoding="utf-8")
    inputs = {"src_ids": source(41)["src_ids"]}
    assert largest_difference(load(path), [[], [3], [4, 5]], inputs) < 1e-10


STYLED = """
  flat: {block: rearrange, input: source, pattern: "b n d -> n b d"}
  styled: flat + style
  back: {block: rearrange, input: styled, pattern: "n b d -> b n d"}
"""


@pytest.mark.parametrize(("attention", "cached"), [("", True), ("", False), (", scale: 1/length", True)])
def test_rows_that_are_not_in_front(attention: str, cached: bool, tmp_path: Path) -> None:
    """Where a value has the batch at another axis, rows that have ended stay where they are."""
    style = "style: float[1, batch, d_model]"
    spec = specs.decoder(tmp_path, more=style, end="[4, 9]", attention=attention, nodes=STYLED)
    found = Decoder(accepted(spec), compiled(spec).state_dict(), cached=cached)
    assert isinstance(found.runs, StepModule) or found.runs.inside
    given = torch.randn(1, 3, 16, generator=torch.Generator().manual_seed(0))
    drawn = Sampling(temperature=3)
    together = list(found.stream(PROMPTS, max_new=12, inputs={"style": given}, sampling=drawn))
    assert together[-1].rows != (0, 1, 2)
    rows = [list(prompt) for prompt in PROMPTS]
    for step in together:
        for row, id, logits in zip(step.rows, step.ids, step.logits, strict=True):
            alone = next(found.stream([rows[row]], max_new=1, inputs={"style": given[:, row : row + 1]}))
            torch.testing.assert_close(logits, alone.logits[0], atol=1e-10, rtol=0)
            rows[row].append(id)


def test_a_forgotten_mask_would_be_seen(tmp_path: Path) -> None:
    """The comparison is sharp: positions counted from the wrong place differ by far more."""
    spec = specs.decoder(tmp_path, more=VALID["left"], mask=BOTH)
    module = compiled(spec)
    found = Decoder(accepted(spec), module.state_dict(), cached=False)
    object.__setattr__(found.plan, "side", "left")
    padded = next(found.stream([[1], [5, 6, 7]], max_new=1))
    by_itself = next(Decoder(accepted(spec), module.state_dict()).stream([[1]], max_new=1))
    assert float((padded.logits[0] - by_itself.logits[0]).abs().max()) > 1e-3


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    spec = load("gpt2", reduced=True)
    found = Decoder(accepted(spec), compiled(spec).state_dict())
    together = found.generate(PROMPTS, max_new=6)
    assert together == tuple(found.generate([prompt], max_new=6)[0] for prompt in PROMPTS)


def spec_that_ends(folder: Path, end: str) -> Spec:
    return specs.decoder(folder, end=end, start="2")


def test_rows_end_by_themselves(tmp_path: Path) -> None:
    plain, drawn = specs.decoder(tmp_path, start="2"), Sampling(temperature=3)
    module = compiled(plain)
    prompts = [[1], [5], [9]]
    whole = Decoder(accepted(plain), module.state_dict()).generate(prompts, max_new=8, sampling=drawn)
    assert all(row.prompt[0] == 2 and len(row.ids) == 8 and not row.ended for row in whole)
    ends = (whole[0].ids[3], whole[1].ids[5])
    ending = Decoder(accepted(spec_that_ends(tmp_path, f"[{ends[0]}, {ends[1]}]")), module.state_dict())
    for row, longer in zip(ending.generate(prompts, max_new=8, sampling=drawn), whole, strict=True):
        first = next((n for n, id in enumerate(longer.ids) if id in ends), None)
        assert row.ids == (longer.ids if first is None else longer.ids[: first + 1])
        assert row.ended == (first is not None)
    rows = [step.rows for step in ending.stream(prompts, max_new=8, sampling=drawn)]
    assert rows[0] == (0, 1, 2) != rows[-1]
    assert all(set(later) <= set(earlier) for earlier, later in pairwise(rows))
