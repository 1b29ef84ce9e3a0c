"""Parity: how far the outputs of each artifact are from those of references."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.bundle.manifest import WeightsEntry
from archspec.bundle.report import OutputDifference, ParityTrial
from archspec.bundle.summary import Described
from archspec.contract.report import shown
from archspec.views.html.markup import Content, Html, code, joined, name, table, tag
from archspec.views.html.verdicts import badge

_REFERENCES = {
    "module": "the emitted PyTorch module in float32",
    "interpreter": "an interpreter of the graph in float64 that shares no code with the module",
    "original": "the model that the weights come from, on inputs that were given",
}


def parity(bundle: Described) -> Html:
    """A table with a row for each output of each comparison, what was not compared, and where the weights come from."""
    trials = bundle.report.trials
    rows = [_row(trial, one) for trial in trials for one in trial.differences]
    heads = ("artifact", "reference", "sizes", "output", "largest difference", "largest value", "allowed", "result")
    used = {trial.reference for trial in trials}
    references = [
        part for word, said in _REFERENCES.items() if word in used for part in (tag("dt", word), tag("dd", said))
    ]
    skipped = [tag("li", name(reason)) for reason in bundle.report.skipped]
    return joined(
        table("Comparisons", heads, rows, numbers=(4, 5, 6)) if rows else tag("p", "No artifact was compared."),
        tag("dl", references) if references else None,
        tag("div", tag("p", "Not compared:"), tag("ul", skipped)) if skipped else None,
        tag("p", _weights(bundle.manifest.weights)),
    )


def _row(trial: ParityTrial, one: OutputDifference) -> Sequence[Content]:
    within = one.allowed(trial.dtype)
    result = badge("within" if within else "too large", "good" if within else "bad")
    numbers = (f"{one.largest:.1e}", f"{one.scale:.3g}", f"{one.bound(trial.dtype):.1e}")
    place = tag("p", name(one.place)) if one.place and not within else None
    return code(trial.artifact), trial.reference, shown(trial.sizes), code(one.output), *numbers, joined(result, place)


def _weights(entry: WeightsEntry) -> str:
    """Where the weights come from, and what they were held to."""
    if entry.origin == "initialised":
        return f"The weights were initialised under seed {entry.seed}."
    if entry.original is None:
        return "The weights were given, and were not compared with the model that they come from."
    return f"The weights were given, and the module with them is equal to the original {entry.original}."
