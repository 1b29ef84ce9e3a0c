"""What an architecture costs: parameters, FLOPs and memory at given sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archspec.algebra.symbol import Symbol
from archspec.analyses.figures import scaled
from archspec.analyses.memory import in_words
from archspec.checking import Report
from archspec.checking.decoding_cache import DecodingCache, decoding_cache
from archspec.views.html.markup import Content, Html, code, joined, table, tag
from archspec.views.html.numbers import at_sizes

Sizes = Mapping[str, int]


def costs(report: Report, sizes: Sizes | None = None) -> Html:
    """A table of counts: parameters, and FLOPs and memory of one forward pass.

    Args:
        report: the report.
        sizes: the size of each dim; typical where it says nothing.
    """
    typical = {key: symbol.typical for key, symbol in report.spec.dims.items()} | dict(sizes or {})
    return joined(_table(report, {at_sizes(typical): typical}), _cache(report))


def cost_range(report: Report) -> Html:
    """The same at the least, the typical and the largest sizes."""
    ends: dict[str, Callable[[Symbol], int]] = {
        "least": lambda symbol: symbol.min,
        "typical": lambda symbol: symbol.typical,
        "most": lambda symbol: symbol.max,
    }
    dims = report.spec.dims
    columns = {
        f"{word}: {at_sizes(sizes)}": sizes
        for word, choose in ends.items()
        if (sizes := {key: choose(symbol) for key, symbol in dims.items()})
    }
    return joined(_table(report, columns or {"count": {}}), _cache(report))


def _table(report: Report, columns: Mapping[str, Sizes]) -> Html:
    cost = report.cost

    def per_size(
        words: str, unit: Callable[[int], str], formulas: Sequence[object], value: Callable[[Sizes], int]
    ) -> Sequence[Content]:
        return (words, *(unit(value(sizes)) for sizes in columns.values()), code(" or ".join(map(str, formulas))))

    def fixed(words: str, count: str) -> Sequence[Content]:
        return (words, *([count] * len(columns)), "")

    rows = [
        fixed("parameters", f"{cost.parameters:,}"),
        *([] if cost.trainable == cost.parameters else [fixed("trainable", f"{cost.trainable:,}")]),
        fixed("weights in float32", in_words(cost.weight_bytes)),
        per_size("one forward pass", lambda count: scaled(count, "FLOP"), [cost.flops], cost.flops.value),
        per_size(
            "activations in float32, at most",
            in_words,
            cost.peak_activations,
            lambda sizes: max(one.value(sizes) for one in cost.peak_activations),
        ),
    ]
    heads = ("what", *columns, "formula in the sizes")
    return table("Counts of the graph", heads, rows, numbers=range(1, len(columns) + 1))


def _cache(report: Report) -> Html | None:
    """The bytes that decoding keeps, or why it keeps nothing."""
    cache = decoding_cache(report.spec)
    return None if cache is None else tag("p", _told(cache))


def _told(cache: DecodingCache) -> str:
    if cache.size is None:
        return f"Decoding has no cache: {cache.refused.message}." if cache.refused else "Decoding has no cache."
    position, row = cache.size.position.typical(), cache.size.row.typical()
    parts = [f"{in_words(position)} for each position of a row"] if position else []
    parts += [f"{in_words(row)} for each row"] if row else []
    return (
        f"The cache of decoding takes {' and '.join(parts)} in float32; {in_words(cache.most)} a row at {cache.length}."
    )
