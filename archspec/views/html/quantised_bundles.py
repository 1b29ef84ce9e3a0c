"""Bundles side by side: how each stores its weights, what it rounds, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.analyses.memory import in_words
from archspec.bundle.manifest import LossEntry, Manifest
from archspec.bundle.quantised_counts import rounded_words, stored_words
from archspec.views.html.markup import Content, Html, code, joined, name, table, tag
from archspec.views.html.quantised import LOSS_CAPTION, loss_cells, loss_heads, measured


def side_by_side(bundles: Mapping[str, Manifest]) -> Html:
    """A table with a row for each bundle, by label: how it is stored, and what that costs."""
    losses = [row for label, one in bundles.items() for row in _losses(label, one)]
    heads = loss_heads(loss for _, _, loss in losses)
    rows = [(name(label), what, code(loss.data), *loss_cells(loss, heads)) for label, what, loss in losses]
    stored = [_stored(label, one) for label, one in bundles.items()]
    kept = ("bundle", "weights", "in artifacts", "as floats", "activations", "cache")
    columns = ("bundle", "what ran", "measured on", *heads)
    several = len({loss.sha256 for _, _, loss in losses}) > 1
    return joined(
        table("How bundles are stored", kept, stored, numbers=(2, 3), prose=(1,)),
        table(LOSS_CAPTION, columns, rows, numbers=range(3, len(columns)))
        if rows
        else tag("p", "What rounding costs was not measured."),
        tag("p", "They were measured on different inputs: such losses cannot be compared.") if several else None,
    )


def _losses(label: str, manifest: Manifest) -> Iterator[tuple[str, str, LossEntry]]:
    if manifest.quantised is not None:
        yield from ((label, what, loss) for what, loss in measured(manifest.quantised))


def _stored(label: str, manifest: Manifest) -> tuple[Content, ...]:
    entry = manifest.quantised
    if entry is None:
        return name(label), "floats", "", in_words(manifest.files[manifest.weights.path].bytes), "floats", "floats"
    packed = in_words(entry.packed_bytes if entry.formats else entry.float_bytes)
    floats = in_words(entry.float_bytes)
    weights, values = stored_words(entry) or "floats", rounded_words(entry) or "floats"
    return name(label), weights, packed, floats, values, entry.kv_cache or "floats"
