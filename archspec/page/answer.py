"""What the page asks of the checker: a text, and which parts of the answer are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

from archspec.checking import Report, check
from archspec.diagnostics import Diagnostic, Label, Source, SpecError, to_json
from archspec.diagnostics.nearest import nearest
from archspec.spec.files import nodes_on_disk, read_by
from archspec.text.nodes import MapNode
from archspec.text.reader import read
from archspec.views.html.costs import costs
from archspec.views.html.findings import findings
from archspec.views.html.markup import Html, name, tag
from archspec.views.html.masks import masks
from archspec.views.html.picture import picture
from archspec.views.html.relations import relations
from archspec.views.html.tree import tree
from archspec.views.html.verdicts import verdicts

_DRAWN: Mapping[str, Callable[[Report], Html]] = {
    "verdicts": verdicts,
    "picture": picture,
    "masks": masks,
    "relations": relations,
    "tree": tree,
}
PARTS = ("findings", *_DRAWN, "costs", "module")
"""The parts that an answer may have."""


def answer(text: str, file: str, parts: Sequence[str] = (), sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Check a text and give what the page shows of it.

    A text that was asked about last is not checked again, so that its parts can be asked for one by one.

    Args:
        text: the text of a spec.
        file: the name of its file, which need not exist; files that it names are looked for from there.
        parts: which of `PARTS` to give as HTML; `module` is plain text.
        sizes: sizes of dims for `costs`, typical where it says nothing.

    Returns:
        JSON-compatible data: `loads`, `holds`, `violated`, `name`, `parameters`, `summary`, `dims`, `seconds`;
        `findings` as `--json` gives them, with `from` and `to`, the places in this text in UTF-16 code units, None for
        a place elsewhere; `parts` by name, without those of a spec that does not load, or for `module` does not hold.
    """
    began = perf_counter()
    report, found = checked(text, file)
    source = Source(file, text)
    given: dict[str, Any] = {
        "loads": report is not None,
        "holds": report is not None and report.holds,
        "name": "" if report is None else report.spec.name,
        "parameters": 0 if report is None else report.cost.parameters,
        "violated": report is not None and any(one.status == "violated" for one in report.verdicts),
        "summary": _summary(report, found),
        "findings": [_placed(one, source) for one in found],
        "dims": {} if report is None else _dims(report),
        "parts": {},
    }
    for part in parts:
        drawn = _part(part, report, found, sizes or {})
        if drawn is not None:
            given["parts"][part] = drawn
    given["seconds"] = perf_counter() - began
    return given


def forget() -> None:
    """Check the next text also if it was asked about last: a file that it names may have changed."""
    checked.cache_clear()


@lru_cache(maxsize=1)
def checked(text: str, file: str) -> tuple[Report | None, tuple[Diagnostic, ...]]:
    """The report on a text, None where it does not load, and the diagnostics; those of the last text are kept."""
    return check_text(text, file)


def check_text(text: str, file: str) -> tuple[Report | None, tuple[Diagnostic, ...]]:
    """What `checked` keeps."""
    own = Path(file)

    def reader(path: Path) -> MapNode:
        return read(Source(file, text)) if path == own else nodes_on_disk(path)

    with read_by(reader):
        try:
            report = check(own)
        except SpecError as error:
            return None, error.diagnostics
    return report, report.diagnostics


def _summary(report: Report | None, found: Sequence[Diagnostic]) -> str:
    """One line for the eye and for programs that read aloud."""
    errors = sum(one.severity == "error" for one in found)
    warnings = len(found) - errors
    counts = [
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "error"), (warnings, "warning")) if count
    ]
    if report is None or not report.holds:
        return ", ".join(counts)
    statuses = [one.status for one in report.verdicts]
    rules = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)]
    said = f"rules: {', '.join(rules)}" if rules else "no rules"
    return "; ".join([said, f"{report.cost.parameters:,} parameters", *counts])


def _placed(found: Diagnostic, source: Source) -> dict[str, Any]:
    """A diagnostic as data, with the places in the text that it marks."""
    data = to_json(found)
    data |= _place(found.primary, source)
    data["secondary"] = [
        {**whole, **_place(label, source)}
        for whole, label in zip(data["secondary"], found.secondary, strict=True)  # type: ignore[call-overload]
    ]
    return data


def _place(label: Label | None, source: Source) -> dict[str, int | None]:
    """Start and end in the text, in the units of JavaScript; None for a place in another file."""
    if label is None or label.span.source.name != source.name:
        return {"from": None, "to": None}
    text, before = label.span.source.whole, int(label.span.source.marked)
    return {key: _units(text[: before + at]) for key, at in (("from", label.span.start), ("to", label.span.end))}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _dims(report: Report) -> dict[str, dict[str, int]]:
    """The sizes that each dim may have."""
    return {
        key: {"least": one.min, "typical": one.typical, "most": one.max, "multiple": one.multiple}
        for key, one in report.spec.dims.items()
    }


def _part(part: str, report: Report | None, found: Sequence[Diagnostic], sizes: Mapping[str, int]) -> str | None:
    """One part of an answer; None where there is nothing to show. Raises ValueError for an unknown part."""
    if part not in PARTS:
        hint = nearest(part, PARTS)
        raise ValueError(f"no part is named {part!r}" + (f": did you mean {hint!r}?" if hint else ""))
    if part == "findings":
        return findings(found)
    if report is None:
        return None
    if part == "module":
        return _module(report)
    try:
        return costs(report, sizes) if part == "costs" else _DRAWN[part](report)
    except SpecError as error:
        # A spec that loads but does not hold may have what cannot be drawn.
        return tag("p", "Not drawn: ", name(error.diagnostics[0].message), ".")


def _module(report: Report) -> str | None:
    """The PyTorch file of a spec that holds."""
    if not report.holds:
        return None
    from archspec.lower import emit

    return emit(report.accept())
