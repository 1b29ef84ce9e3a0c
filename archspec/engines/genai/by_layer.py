"""The step of a decoder with a tensor for each layer's keys and values, in place of stacks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_STACK, _UNBIND = torch.ops.aten.stack.default, torch.ops.aten.unbind.int


class StepByLayer(nn.Module):
    """Runs the step's module on past keys and values by layer.

    `stacks` gives, for each further input of the step, the numbers of the tensors that it stacks; one number alone is a
    tensor as it is.
    """

    def __init__(self, step: nn.Module, stacks: Sequence[Sequence[int] | int]) -> None:
        super().__init__()
        self.step = step
        self.stacks = stacks

    def forward(self, ids: Tensor, mask: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return logits [b, 1, vocab] and present keys and values, in the order of the past ones.

        Args:
            ids: int64 [b, new].
            mask: int64 [b, past + new], 1 for entries that are positions of their row.
            past: keys and values [b, heads, past, size].
        """
        given = [past[one] if isinstance(one, int) else torch.stack([past[n] for n in one]) for one in self.stacks]
        logits, *grown = self.step(ids, mask, *given)
        present = list(past)
        for one, made in zip(self.stacks, grown, strict=True):
            if isinstance(one, int):
                present[one] = made
                continue
            for number, part in zip(one, made.unbind(), strict=True):
                present[number] = part
        return (logits[:, None], *present)


def without_stacks(exported: ExportedProgram) -> ExportedProgram:
    """Remove from a program every stack that is only taken apart again: it would copy the whole cache at each step."""
    graph = exported.graph
    for node in list(graph.nodes):
        if node.target is _UNBIND and getattr(node.args[0], "target", None) is _STACK:
            parts = node.args[0].args[0]
            # Its users are `getitem` nodes, each with the number of a part.
            for taken in list(node.users):
                taken.replace_all_uses_with(parts[taken.args[1]])
    graph.eliminate_dead_code()
    left = [node.name for node in graph.nodes if node.target is _STACK and any(u.target is _UNBIND for u in node.users)]
    assert not left, left
    return exported
