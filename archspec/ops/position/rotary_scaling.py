"""Scaling of the frequencies of rotary positions for sequences longer than those of training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter
from archspec.ir.source import call, literal, operand
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

_LLAMA3 = '''
def llama3_frequencies(
    frequencies: Tensor, factor: float, low: float, high: float, original: float
) -> Tensor:
    """Divide frequencies below `low` turns in `original` by factor, keep those above `high`, blend between."""
    turns = original * frequencies / (2 * math.pi)
    keep = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (keep + (1 - keep) / factor)
'''
_YARN = '''
def yarn_frequencies(
    frequencies: Tensor, factor: float, first: float, last: float
) -> Tensor:
    """Keep frequencies up to index `first`, divide those from index `last` by factor, blend between."""
    numbers = torch.arange(
        len(frequencies), device=frequencies.device, dtype=frequencies.dtype
    )
    blend = ((numbers - first) / (last - first)).clamp(0, 1)
    return frequencies * (1 - blend + blend / factor)
'''


class Scaling(ABC):
    """A change of the rotary frequencies; `magnitude` multiplies the cosines and sines."""

    @property
    def magnitude(self) -> float:
        """The factor on cosines and sines."""
        return 1.0

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes on which the frequencies depend."""
        return ()

    @abstractmethod
    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """The scaled frequencies, from the unscaled ones `base^(-2i/size)`; `sizes` gives the run-time dims."""

    @abstractmethod
    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """The source of the scaled frequencies."""


@record
class LinearScaling(Scaling):
    """Positions are divided by `factor`.

    Source: Chen et al. 2023, arXiv 2306.15595.
    """

    factor: float

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """`f / factor`."""
        return plain / self.factor

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A division."""
        return f"{operand(plain)} / {literal(self.factor)}"


@record
class Llama3Scaling(Scaling):
    """Divide frequencies below `low` turns in `original` positions by `factor`, keep those above `high`, blend between.

    Source: Llama 3.1, arXiv 2407.21783, reference implementation.
    """

    factor: float
    low: float
    high: float
    original: float

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """The formula, case by case."""
        import numpy as np

        turns = self.original * plain / (2 * np.pi)
        smooth = (turns - self.low) / (self.high - self.low)
        blended = (1 - smooth) * plain / self.factor + smooth * plain
        return np.where(turns < self.low, plain / self.factor, np.where(turns > self.high, plain, blended))

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A call of a helper function."""
        numbers = (self.factor, self.low, self.high, self.original)
        return call(e.helper(_LLAMA3), plain, *map(literal, numbers))


@record
class YarnScaling(Scaling):
    """Keep frequencies of more than `fast` turns in `original` positions, divide those of fewer than `slow`.

    Between them the blend is linear in the index of the frequency. `truncate` rounds the indices at which the blend
    begins and ends outwards to whole numbers. Cosines and sines are multiplied by `given`, or by `0.1 ln(factor) + 1`.
    Source: Peng et al. 2023 (YaRN), arXiv 2309.00071, reference implementation.
    """

    factor: float
    original: float
    fast: float = 32.0
    slow: float = 1.0
    truncate: bool = True
    given: float | None = None

    @property
    def magnitude(self) -> float:
        """The given factor, otherwise `0.1 ln(factor) + 1`, or 1 for a factor of at most 1."""
        if self.given is not None:
            return self.given
        return 0.1 * math.log(self.factor) + 1 if self.factor > 1 else 1.0

    def _range(self, size: int, base: float) -> tuple[float, float]:
        """The indices of the last frequency that is kept and of the first that is divided."""
        # The index i at which a frequency makes t turns: `base^(-2i/size) * original = 2 pi t`, solved for i.
        first, last = (
            size * math.log(self.original / (turns * 2 * math.pi)) / (2 * math.log(base))
            for turns in (self.fast, self.slow)
        )
        if self.truncate:
            first, last = math.floor(first), math.ceil(last)
        # Up to `size - 1`, though there are only half as many frequencies, as in the reference implementation.
        low, high = max(first, 0), min(last, size - 1)
        # The reference implementation avoids a division by zero in the same way.
        return low, (high if high != low else high + 0.001)

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """Divided and kept frequencies, weighted by the ramp."""
        import numpy as np

        first, last = self._range(2 * len(plain), base)
        ramp = np.clip((np.arange(len(plain)) - first) / (last - first), 0, 1)
        blended: Array = plain / self.factor * ramp + plain * (1 - ramp)
        return blended

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A call of a helper function."""
        return call(e.helper(_YARN), plain, literal(self.factor), *map(literal, self._range(size, base)))
