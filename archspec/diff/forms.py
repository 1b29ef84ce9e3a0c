"""Changes as text, as Markdown for a review, and as JSON-compatible data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.diff.changes import Change, Changes, Loading, Renamed
from archspec.diff.words import shortened

NOTHING = "nothing changed in meaning"
_MOST = 3


def text_of(found: Changes) -> str:
    """The changes with a line each, then names that are new, and whether a checkpoint of the first spec loads."""
    head = f"{found.before} -> {found.after}"
    lines = [f"{head}: {NOTHING}" if found.same else head]
    lines += [f"  {one.text}" for one in found.changes]
    lines += [f"  renamed: {_renamed(found.renamed)}"] if found.renamed else []
    return "\n".join([*lines, f"  {loading(found)}"])


def loading(found: Changes) -> str:
    """Whether a checkpoint of the first spec loads into the second, in a sentence."""
    loads, subject = found.checkpoint, f"a checkpoint of {found.before}"
    moves, left = _moves(loads), _left_out(loads)
    if loads.loads:
        if not moves and not left:
            return f"{subject} loads as it is"
        return f"{subject} loads{f', renamed {moves}' if moves else ''}{left}"
    parts = []
    if loads.misfits:
        first, *more = loads.misfits
        others = f" and {len(more)} more" if more else ""
        plural = "shape differs" if not more else "shapes differ"
        parts.append(f"{len(loads.misfits)} {plural}: `{first.name}` {first.before} -> {first.after}{others}")
    if loads.missing:
        parts.append(f"it lacks {_some(loads.missing)}")
    return f"{subject} does not load: {'; '.join(parts)}"


def _left_out(loads: Loading) -> str:
    return f", leaving out {_some(loads.unused)}" if loads.unused else ""


def _some(found: Sequence[tuple[str, int]]) -> str:
    """Patterns of names with their numbers of tensors, the first of many."""
    told = [f"`{name}`{f' ({count} tensors)' if count > 1 else ''}" for name, count in found[:_MOST]]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"{', '.join(told)}{more}"


def _moves(loads: Loading) -> str:
    """Moves of names without the ends that they share."""
    short = dict.fromkeys(shortened(*one) for one in loads.moves)
    told = [f"`{one}` -> `{other}`" for one, other in list(short)[:_MOST]]
    return f"{', '.join(told)}{f' and {len(short) - _MOST} more' if len(short) > _MOST else ''}"


def _renamed(found: Sequence[Renamed]) -> str:
    return ", ".join(f"{one.what} `{one.before}` -> `{one.after}`" for one in found)


def markdown_of(found: Changes) -> str:
    """The changes as a section of a review."""
    count = len(found.changes)
    head = NOTHING if found.same else f"{count} change{'s' if count > 1 else ''} in meaning"
    lines = [f"#### {plain(found.before)} → {plain(found.after)}: {head}", ""]
    lines += [f"- {_item(one)}" for one in found.changes]
    lines += [f"- renamed: {plain(_renamed(found.renamed))}"] if found.renamed else []
    return "\n".join([*lines, f"- {_mark(found)}{plain(loading(found))}", ""])


def _mark(found: Changes) -> str:
    return "✅ " if found.checkpoint.loads else "⚠️ "


_ALARMING = ("lost", "weaker", "wider", "exchanged")


def _item(one: Change) -> str:
    """A line of the list; what weakens a promise stands out."""
    falls = one.effect == "verdict" and one.after in ("violated", "unknown")
    return (
        f"⚠️ {plain(one.text)}" if falls or (one.effect in _ALARMING and one.kind != "computation") else plain(one.text)
    )


def plain(text: str) -> str:
    """A text that Markdown shows as it is, with what is in backticks as code."""
    parts = " ".join(text.replace("->", "→").splitlines()).split("`")
    if len(parts) % 2 == 0:
        # A name may have a backtick: what is code and what is not cannot be told.
        parts = ["'".join(parts)]
    shown = [part if number % 2 else re.sub(r"([*_<>\[\]|\\])", r"\\\1", part) for number, part in enumerate(parts)]
    return "`".join(shown)


def data_of(found: Changes) -> dict[str, object]:
    """The changes as JSON-compatible data."""
    loads = found.checkpoint
    return {
        "before": found.before,
        "after": found.after,
        "same": found.same,
        "changes": [_change_data(one) for one in found.changes],
        "renamed": [{"what": one.what, "before": one.before, "after": one.after} for one in found.renamed],
        "checkpoint": {
            "loads": loads.loads,
            "moves": [{"before": one, "after": other} for one, other in loads.moves],
            "misfits": [
                {"name": one.name, "before": one.before, "after": one.after, "tensors": one.count}
                for one in loads.misfits
            ],
            "missing": [{"name": name, "tensors": count} for name, count in loads.missing],
            "unused": [{"name": name, "tensors": count} for name, count in loads.unused],
        },
    }


def _change_data(one: Change) -> dict[str, object]:
    return {
        "kind": one.kind,
        "places": list(one.places),
        "effect": one.effect or None,
        "before": one.before,
        "after": one.after,
        "text": one.text,
    }
