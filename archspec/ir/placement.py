"""Where the entries of a tensor are when a graph runs on several ranks, and how one op runs on parts of its operands.

Each rank runs the same op on its own part. A placement tells two things: what a rank holds of a value, and what it
holds of the gradient with respect to it.

| placement    | of the value                                   | of the gradient                    |
|--------------|------------------------------------------------|------------------------------------|
| `Replicate`  | all of it, the same on every rank              | all of it, the same on every rank  |
| `Copied`     | all of it, the same on every rank              | a term; the gradient is their sum  |
| `Shard(a)`   | one of equal contiguous parts of axis `a`      | the same part                      |
| `Partial`    | a term; the value is their sum                 | all of it, the same on every rank  |

`Replicate` and `Copied` differ in the backward pass alone: an op of which every operand is `Replicate` (or every one
`Copied`) computes the same on every rank, whatever it is.

The names are those of `torch.distributed.tensor`, which has no word for `Copied`.

Source: Shoeybi et al. 2019, arXiv 1909.08053 (its operators f and g are the conversions from `Replicate` to `Copied`
and from `Partial` to `Replicate`); Xu et al. 2021, arXiv 2105.04663, for placements of every value of a graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from archspec.record import record


@record
class Replicate:
    """Every rank holds all of the value, and all of its gradient."""


@record
class Copied:
    """Every rank holds all of the value, and a term of its gradient."""


@record(kw_only=False)
class Shard:
    """Each rank holds one of equal contiguous parts of an axis: rank r of n has entries r * size / n and on.

    An axis that keeps its factors is parted at the outermost one, which the number of ranks divides. With `copies` c
    there are n / c parts, each of which c ranks in a row hold: rank r has part r // c, and a term of its gradient,
    which is the sum over the c ranks. So are the heads of keys and values held where there are fewer than ranks.
    """

    axis: int
    copies: int = 1


@record
class Partial:
    """Each rank holds a term, and all of the gradient; the value is the sum of the terms.

    A parameter that is used so is all of it on the first rank, and zero on the others.
    """


Placement = Replicate | Copied | Shard | Partial


@record
class Sharding:
    """One way in which an op runs on parts: where its operands and parameters are, and where its results are then.

    No placement is `Replicate`; that every one is `Copied` is not stated, since it holds for every op. Parameters that
    are not named are `Copied`. `grouped` are the `Shard` operands of which one entry of the axis is read by a run of
    entries of the other operands' axes, as a head of keys is by several of queries: these may have `copies` where each
    rank has one entry.
    """

    operands: tuple[Placement, ...]
    results: tuple[Placement, ...]
    parameters: Mapping[str, Placement] = field(default_factory=dict)
    grouped: tuple[int, ...] = ()
    rows: int | None = None
    """The operand whose integers number the rows that are parted, along axis 0 of parameters. It is given counted from
    the rank's first row, and the results are made zero where it numbers a row of another rank."""
    attributes: Mapping[str, int] = field(default_factory=dict)
    """Attributes of the op's layer that are divided by the number of ranks, which must divide their values."""
