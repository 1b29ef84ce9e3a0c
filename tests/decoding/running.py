"""What generation should give: the full forward of each row alone, at its own length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import archspec
from archspec.checking import accepted
from archspec.contract.fill import fill
from archspec.decoding import Decoder
from archspec.spec import Spec


def compiled(spec: Spec, dtype: torch.dtype = torch.float64, seed: int = 1) -> nn.Module:
    """The module with parameters large enough that a mistake shows; of a spec that does not hold, too."""
    return fill(archspec.compile(spec, unproved=True), seed, 0.3).to(dtype)


def alone(decoder: Decoder, module: nn.Module, ids: list[int], given: Mapping[str, Tensor]) -> Tensor:
    """Logits [vocab] of the full forward on one row, at its last position."""
    plan, last = decoder.plan, len(ids) - 1
    if plan.length is None:
        # What follows must not matter where the number of positions is fixed.
        ids = [*ids, *range(plan.most - len(ids))]
    inputs: dict[str, Tensor] = {**given, plan.decode.input: torch.tensor([ids])}
    if plan.growing.valid is not None:
        inputs[plan.growing.valid] = torch.ones(1, len(ids), dtype=torch.bool)
    for name in plan.growing.positions:
        inputs[name] = torch.arange(len(ids))[None]
    with torch.no_grad():
        found = module(**inputs)
    return (found if isinstance(found, Tensor) else getattr(found, plan.decode.output))[0, last]


def largest_difference(
    spec: Spec,
    prompts: list[list[int]],
    inputs: Mapping[str, Tensor] | None = None,
    *,
    dtype: torch.dtype = torch.float64,
    max_new: int = 5,
    module: nn.Module | None = None,
    **how: Any,
) -> float:
    """How far any step is from the full forward of the row alone."""
    module = compiled(spec, dtype) if module is None else module
    found = Decoder(accepted(spec), module.state_dict(), **how)
    start = [] if found.plan.decode.start is None else [found.plan.decode.start]
    rows = [start + prompt for prompt in prompts]
    largest = 0.0
    for step in found.stream(prompts, max_new=max_new, inputs=inputs):
        for row, id, logits in zip(step.rows, step.ids, step.logits, strict=True):
            given = {name: one[row : row + 1] for name, one in (inputs or {}).items()}
            expected = alone(found, module, rows[row], given)
            largest = max(largest, float((logits - expected).abs().max()))
            assert id == int(logits.argmax())
            rows[row].append(id)
    assert [len(row) - len(start) - len(prompt) for row, prompt in zip(rows, prompts, strict=True)] != [0] * len(rows)
    return largest
