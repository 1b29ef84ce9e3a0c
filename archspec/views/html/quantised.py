"""What a bundle stores as integers and rounds, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from archspec.analyses.memory import in_words
from archspec.bundle.manifest import LossEntry, Manifest, QuantisedEntry
from archspec.bundle.quantised_counts import by_format, by_grid
from archspec.views.html.markup import Content, Html, code, folded, joined, name, table, tag
from archspec.views.html.numbers import counted

LOSS_CAPTION = "What rounding costs, against the same weights as floats"
_LIMITS = {
    "kl": "kl at most {:g}",
    "disagreement": "another first choice at no more than {:.4g}% of positions",
    "perplexity": "the perplexity grows by at most {:.4g}%",
    "accuracy": "at most {:.4g}% of right answers are lost",
}
"""What each limit of a loss says; all but the first are shares."""
_MEANINGS = {
    "kl": "the mean divergence of the scores from those of the floats, in nats",
    "same first choice": "the share of positions at which the class with the highest score is the same",
    "right class known": "the number of positions whose right class is known, from which perplexity and accuracy are",
    "perplexity": "with floats, then as it is here; the exponential of the mean loss on the right classes",
    "accuracy": "the share of right classes that have the highest score: with floats, then as it is here",
    "largest": "the largest difference of one score, beside the largest score of the floats",
}


def quantised(manifest: Manifest, entry: QuantisedEntry) -> Html:
    """The formats of weights, what is rounded when the model runs, sizes, and losses with their limits."""
    return joined(_weights(manifest, entry), _values(entry), _losses(entry))


def _weights(manifest: Manifest, entry: QuantisedEntry) -> Html:
    """How many weights have which format and which these are, and the bytes that all take."""
    if not entry.formats:
        return tag("p", f"All weights are floats, which take {in_words(entry.float_bytes)}.")
    rows = [(format, str(len(paths)), _listed(paths)) for format, paths in by_format(entry).items()]
    sizes = (
        ("in artifacts", "two numbers of four bits share a byte", entry.packed_bytes),
        (f"in {manifest.weights.path}", "a byte for each integer", entry.bytes),
        ("as floats", "four bytes for each number", entry.float_bytes),
    )
    told = [(where, how, in_words(size), f"{size / entry.float_bytes:.1%}") for where, how, size in sizes]
    return joined(
        table(
            "Formats of weights; the layers of a list count as one", ("format", "weights", "which"), rows, numbers=(1,)
        ),
        table("Bytes of all weights", ("where", "how", "size", "of floats"), told, numbers=(2, 3)),
        _given(entry),
    )


def _listed(paths: Sequence[str]) -> Html:
    return joined([tag("p", code(path)) for path in paths])


def _given(entry: QuantisedEntry) -> Html | None:
    """What became of the integers of a file of weights."""
    if not entry.unrounded and not entry.rounded:
        return None
    rows = [(code(path), ", ".join(formats), entry.formats[path]) for path, formats in entry.unrounded.items()]
    heads = ("weight", "in the file", "stored as")
    kept = table("Integers of the file of weights, kept bit by bit", heads, rows) if rows else None
    others = [tag("li", name(line)) for line in entry.rounded]
    made = folded(f"Not kept as they are in the file: {len(others)}", tag("ul", others)) if others else None
    return joined(kept, made)


def _values(entry: QuantisedEntry) -> Html:
    """What is rounded when the model runs, and on which inputs the scales were measured."""
    rows: list[tuple[Content, ...]] = [
        (f"what {counted(len(paths), 'product')} read", grid, _listed(paths)) for grid, paths in by_grid(entry).items()
    ]
    if entry.kv_cache is not None:
        rows.append(("what the cached step keeps of past positions", entry.kv_cache, "every number of the cache"))
    found = table("What is rounded when the model runs", ("what", "to", "where"), rows) if rows else None
    return joined(found, _calibrated(entry) if rows else tag("p", "Activations and the cache are floats."))


def _calibrated(entry: QuantisedEntry) -> Html:
    if entry.calibration is None:
        return tag("p", "The scales came with the weights: they were not measured in this build.")
    return tag("p", "The scales were measured on ", _file(entry.calibration.data, entry.calibration.sha256), ".")


def _file(data: str, digest: str) -> Html:
    return joined(code(data), " (SHA-256 ", code(digest), ")")


def _losses(entry: QuantisedEntry) -> Html:
    """What rounding costs, of the module and of each artifact that also rounds what it multiplies, and the limits."""
    losses = dict(measured(entry))
    if not losses:
        return tag("p", "What rounding costs was not measured: ", code("archspec build --evaluate"), " does.")
    heads = loss_heads(losses.values())
    rows = [(name(what), *loss_cells(loss, heads), _largest(loss)) for what, loss in losses.items()]
    used = [part for word in (*heads[1:], "largest") for part in (tag("dt", word), tag("dd", _MEANINGS[word]))]
    files = dict.fromkeys(_file(one.data, one.sha256) for one in losses.values())
    return joined(
        table(LOSS_CAPTION, ("what ran", *heads, "largest"), rows, numbers=range(1, len(heads) + 2)),
        tag("dl", used),
        tag("p", "Measured on ", [part for file in files for part in (file, ", ")][:-1], "."),
        tag("ul", [tag("li", name(what), ": ", _first(loss)) for what, loss in losses.items()]),
        _limits(entry.at_most),
        _rounds(entry),
    )


def measured(entry: QuantisedEntry) -> Iterator[tuple[str, LossEntry]]:
    """The losses of an entry, each with what ran."""
    if entry.loss is not None:
        yield "the module", entry.loss
    yield from ((f"{target}, inputs rounded", loss) for target, loss in entry.rounding.items())


def loss_heads(losses: Iterable[LossEntry]) -> tuple[str, ...]:
    """The columns of a table of losses; those about right classes are left out where none is known."""
    known = any(one.perplexity is not None or one.accuracy is not None for one in losses)
    right = ("right class known", "perplexity", "accuracy") if known else ()
    return ("positions", "kl", "same first choice", *right)


def loss_cells(loss: LossEntry, heads: Sequence[str]) -> tuple[str, ...]:
    """The cells of a loss under such columns."""
    cells = {
        "positions": f"{loss.positions:,}",
        "kl": f"{loss.kl:.3g}",
        "same first choice": f"{loss.agreement:.2%}",
        "right class known": f"{loss.known:,}",
        "perplexity": _both(loss.perplexity, "{:.4g}"),
        "accuracy": _both(loss.accuracy, "{:.2%}"),
    }
    return tuple(cells[head] for head in heads)


def _both(values: Sequence[float] | None, form: str) -> str:
    """What it is with floats and after rounding; empty where it is not known."""
    return "" if values is None else " → ".join(map(form.format, values))


def _largest(loss: LossEntry) -> str:
    return f"{loss.largest:.3g} of {loss.scale:.3g}"


def _first(loss: LossEntry) -> str:
    """Of how many classes one is chosen, where another one is first, and what greedy decoding gives."""
    among = "" if loss.output is None else f"of {loss.classes:,} classes of {loss.output}, "
    told = "every first choice is that of the floats"
    if loss.flip is not None:
        row, place, old, new = loss.flip
        told = f"the first other choice is in row {row} at {place}: {new} for {old}"
    return f"{among}{told}" if loss.greedy is None else f"{among}{told}; {loss.greedy}"


def _limits(at_most: Mapping[str, float]) -> Html:
    """The limits that the build was held to."""
    if not at_most:
        return tag("p", "No limit was set (", code("--at-most"), ").")
    lines = [_LIMITS[word].format(limit if word == "kl" else 100 * limit) for word, limit in at_most.items()]
    about = tag("p", "The build would have been refused beyond these limits (", code("--at-most"), "):")
    return tag("div", about, tag("ul", [tag("li", line) for line in lines]))


def _rounds(entry: QuantisedEntry) -> Html | None:
    """Which artifacts round what they multiply, and that they were compared without."""
    if not entry.rounding:
        return None
    told = f"These also round the inputs of products to eight bits when they run: {', '.join(entry.rounding)}. "
    return tag("p", told, "They were compared with the module without that.")
