"""Scaling of rotary frequencies by a factor for each, or by how long the sequence is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.op import Emitter
from archspec.ir.source import call, literal
from archspec.ops.position.rotary_scaling import Scaling
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

# Lengths become tensors at once: a comparison of sizes would fix them in what is exported.
_DYNAMIC = '''
def grown_frequencies(
    frequencies: Tensor, factor: float, original: int, length: int
) -> Tensor:
    """Lower frequencies beyond `original` positions as a base that grows with the length."""
    growth = (frequencies.new_full((), length) / original).clamp(min=1)
    numbers = torch.arange(
        len(frequencies), device=frequencies.device, dtype=frequencies.dtype
    )
    last = len(frequencies) - 1
    return frequencies * (factor * growth - (factor - 1)) ** (-numbers / last)
'''
_DIVIDED = '''
def divided_frequencies(frequencies: Tensor, factors: tuple[float, ...]) -> Tensor:
    """Divide each frequency by its own factor."""
    return frequencies / torch.tensor(
        factors, device=frequencies.device, dtype=frequencies.dtype
    )
'''
_LONG = '''
def long_frequencies(
    frequencies: Tensor,
    short: tuple[float, ...],
    long: tuple[float, ...],
    original: int,
    length: int,
) -> Tensor:
    """Divide each frequency by its own factor: `long` beyond `original` positions, otherwise `short`."""
    factors = torch.tensor(
        (short, long), device=frequencies.device, dtype=frequencies.dtype
    )
    is_long = frequencies.new_full((), length) > original
    return frequencies / torch.where(is_long, factors[1], factors[0])
'''


@record
class DynamicScaling(Scaling):
    """The base grows beyond `original` positions: `base * (factor * length / original - (factor - 1))^(d / (d - 2))`.

    d is the number of features that turn. Frequency i is multiplied by `(factor * length / original - factor + 1)` to
    the power `-2i / (d - 2)`.
    Source: dynamic NTK scaling, Peng et al. 2023, arXiv 2309.00071, section 3.3; transformers.
    """

    factor: float
    original: int
    length: Dim

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The length."""
        return (self.length,)

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """The frequencies of the grown base."""
        import numpy as np

        size, length = 2 * len(plain), max(self.length.value(sizes), self.original)
        grown = base * (self.factor * length / self.original - (self.factor - 1)) ** (size / (size - 2))
        return np.asarray(grown ** (-2 * np.arange(len(plain)) / size))

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A call of a helper function."""
        numbers = literal(self.factor), str(self.original), e.size(self.length)
        return call(e.helper(_DYNAMIC), plain, *numbers)


@record
class FactorScaling(Scaling):
    """Each frequency is divided by its own factor; cosines and sines are multiplied by `given`.

    Source: Ding et al. 2024 (LongRoPE), arXiv 2402.13753.
    """

    factors: tuple[float, ...]
    given: float

    @property
    def magnitude(self) -> float:
        """The given factor."""
        return self.given

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """`f_i / factor_i`."""
        import numpy as np

        found: Array = plain / np.array(self.factors)
        return found

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A call of a helper function."""
        return call(e.helper(_DIVIDED), plain, _listed(self.factors))


@record
class LongScaling(Scaling):
    """The factors of `FactorScaling` are `long` for more than `original` positions, otherwise `short`.

    Source: Ding et al. 2024 (LongRoPE), arXiv 2402.13753; the choice as in Phi-3 and transformers.
    """

    short: tuple[float, ...]
    long: tuple[float, ...]
    original: int
    given: float
    length: Dim

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The length."""
        return (self.length,)

    @property
    def magnitude(self) -> float:
        """The given factor."""
        return self.given

    def frequencies(self, plain: Array, base: float, sizes: Mapping[str, int]) -> Array:
        """`f_i / factor_i`."""
        import numpy as np

        found: Array = plain / np.array(self.long if self.length.value(sizes) > self.original else self.short)
        return found

    def emit(self, e: Emitter, plain: str, size: int, base: float) -> str:
        """A call of a helper function."""
        numbers = _listed(self.short), _listed(self.long), str(self.original), e.size(self.length)
        return call(e.helper(_LONG), plain, *numbers)


def _listed(numbers: tuple[float, ...]) -> str:
    """The source of a tuple."""
    return f"({', '.join(map(literal, numbers))}{',' if len(numbers) == 1 else ''})"
