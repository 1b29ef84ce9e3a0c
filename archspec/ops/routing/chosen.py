"""The class with which emitted files compute only the chosen experts."""

from __future__ import annotations

CHOSEN_EXPERTS = '''
class ChosenExperts:
    """Rows of x [tokens, d], one for each expert that a token passes, sorted by expert.

    Each expert multiplies its own rows alone, and no size depends on data. What is
    exported, or compiled in another dtype than bfloat16, computes all experts instead:
    rows then have an axis of experts before that of the tokens.

    Where other ranks hold the rest of the experts, a token may pass fewer of these
    here. Its other rows stand behind those of all experts and are multiplied by none.
    """

    def __init__(
        self, x: Tensor, weights: Tensor, count: int, maps: Tensor, every: int
    ) -> None:
        """Sort by weights [tokens, experts]; at most `count` of a token are not zero.

        `maps` [experts, out, in] are any of those that multiply the rows, `every` is
        the number of experts on all ranks.
        """
        self.weights = weights
        is_exported = torch.compiler.is_exporting() or torch.jit.is_tracing()
        is_traced = is_exported or torch.compiler.is_compiling()
        self.is_grouped = x.dtype == maps.dtype and self.can_group(maps, is_traced)
        self.is_dense = x.is_meta or is_exported or (is_traced and not self.is_grouped)
        if self.is_dense:
            # Some runtimes multiply only operands of equal rank and batch.
            self.rows = x.expand(*maps.shape[:1], -1, -1)
        else:
            self.count, self.is_part = min(count, len(maps)), len(maps) < every
            self.weights, experts = weights.topk(self.count, dim=-1)
            if self.is_part:
                # Behind the last expert.
                experts = experts.masked_fill(self.weights == 0, len(maps))
            self.experts, self.order = experts.flatten().sort(stable=True)
            numbers = torch.arange(len(maps), device=x.device)
            self.ends = torch.searchsorted(self.experts, numbers, right=True)
            self.rows = self.multiplied(x[self.order // self.count])

    @staticmethod
    def can_group(maps: Tensor, is_traced: bool) -> bool:
        """Whether `F.grouped_mm` takes maps of this device, dtype and widths."""
        dtypes = (torch.float32, torch.float16, torch.bfloat16)
        is_taken = maps.dtype == torch.bfloat16 if is_traced else maps.dtype in dtypes
        whole = all(size * maps.element_size() % 16 == 0 for size in maps.shape[1:])
        is_able = maps.device.type == "cpu"
        if maps.device.type == "cuda":
            is_able = torch.cuda.get_device_capability(maps.device) >= (8, 0)
        return is_taken and whole and is_able

    def multiplied(self, rows: Tensor) -> Tensor:
        """The rows with zeros, forward and backward, where no expert multiplies them.

        There products leave memory as it was, which may hold anything.
        """
        if not self.is_part:
            return rows
        return rows.where((self.experts < len(self.ends))[:, None], 0)

    def map(self, rows: Tensor, maps: Tensor, biases: Tensor | None = None) -> Tensor:
        """Multiply the rows of each expert by its map."""
        if self.is_dense:
            y = rows @ maps.mT
            return y if biases is None else y + biases[:, None]
        if self.is_grouped:
            y = F.grouped_mm(rows, maps.mT, offs=self.ends.int())
        else:
            sizes = self.ends.diff(prepend=self.ends.new_zeros(1)).tolist()
            parts = zip(rows[: sum(sizes)].split(sizes), maps, strict=True)
            y = torch.cat([F.linear(part, one) for part, one in parts])
            y = F.pad(y, (0, 0, 0, len(rows) - len(y))) if self.is_part else y
        if biases is None:
            return y
        if self.is_part:
            # A row for those that no expert multiplies; its gradient is dropped.
            biases = F.pad(biases, (0, 0, 0, 1))
        return y + biases[self.experts]

    def sum(self, y: Tensor) -> Tensor:
        """Weighted sum [tokens, d] of what the experts of each token return."""
        if self.is_dense:
            return (y * self.weights.mT[..., None]).sum(0)
        y = self.multiplied(y)[self.order.argsort()].unflatten(0, (-1, self.count))
        return (y * self.weights[..., None]).sum(1)
'''
"""What `Experts` emits."""
