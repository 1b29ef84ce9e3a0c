"""Run-time sizes: named integers with a declared range, the basic atoms of the polynomials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from archspec.algebra.polynomial import Indeterminate, Naming
from archspec.algebra.printing import PRIMARY, QUOTIENT


@dataclass(frozen=True, slots=True)
class Symbol(Indeterminate):
    """A size that is only known at run time: a multiple of `multiple`, from `min` to `max`.

    As an atom it denotes `size // multiple`, so that a division by a divisor of `multiple` resolves.
    Raises ValueError unless min <= typical <= max and all three are multiples of `multiple`.
    """

    name: str
    min: int
    typical: int
    max: int
    multiple: int = 1
    key: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, middle, high = ends = (self.min, self.typical, self.max)
        if self.multiple < 1 or not low <= middle <= high or any(end % self.multiple for end in ends):
            raise ValueError(f"{self.name}: {ends} are not rising multiples of {self.multiple}")
        # 0 sorts symbols before quotients, whose keys start with 1 (`//`) or 2 (`%`).
        object.__setattr__(self, "key", (0, self.name, *ends, self.multiple))

    def __hash__(self) -> int:
        return hash(self.name)

    def bounds(self) -> tuple[int, int]:
        """Least and greatest value of `size // multiple`."""
        return self.min // self.multiple, self.max // self.multiple

    def value(self, sizes: Mapping[str, int]) -> int:
        """`size // multiple` at given sizes.

        Raises KeyError for a missing size, ValueError for one that is not a multiple of `multiple`.
        """
        count, rest = divmod(sizes[self.name], self.multiple)
        if rest:
            raise ValueError(f"{self.name}={sizes[self.name]} is not a multiple of {self.multiple}")
        return count

    def typical_value(self) -> int:
        """`size // multiple` at the typical size."""
        return self.typical // self.multiple

    def symbols(self) -> Iterator[Symbol]:
        """The symbol itself."""
        yield self

    def text(self, coefficient: int, name: Naming) -> tuple[str, int, int]:
        """`height` where the coefficient contains the whole multiple, else a part of it, such as `height//16`."""
        shared = gcd(coefficient, self.multiple)
        if shared == self.multiple:
            return name(self.name), PRIMARY, coefficient // shared
        return f"{name(self.name)}//{self.multiple // shared}", QUOTIENT, coefficient // shared
