"""Pair the groups and indices of the two sides of a line, and find those that an operation consumes."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.diagnostics import Span, fail
from archspec.layouts.names import NamePattern
from archspec.record import record


@record
class Pairing:
    """How the groups of a line pair: all in order, except the one that an operation consumes.

    `parts` is the number of our group that `split` produces, `joined` that of their group that `concat` or `stack`
    joins; `rows` is how many of their names become one tensor. `indexed` says that their names have an extra `*`, which
    `stack` consumes.
    """

    parts: int | None = None
    joined: int | None = None
    rows: int = 1
    indexed: bool = False


def pair(
    ours: NamePattern, theirs: Sequence[NamePattern], words: Sequence[str], *, is_list: bool, place: Span
) -> Pairing:
    """Pair the two sides of a line whose operations are `words`, in order.

    `is_list` says that their names are written as a list, `place` where they are written. Raises SpecError E511 if
    indices, groups and operations do not fit together.
    """
    indexed = _extra_index(ours, theirs, words, place)
    joins = [word for word in words if word in ("concat", "stack")]
    if indexed:
        # This `stack` consumes the extra `*`; another operation may still join names.
        joins.remove("stack")
    if len(joins) > 1:
        fail("E511", "`concat` and `stack` both join names", place, help="use one of them; a `*` needs `stack`")
    by_group = bool(joins) and not is_list
    parts, joined = _extra_groups(ours, theirs, "split" in words, by_group, place)
    if is_list and len(theirs) > 1 and not joins:
        fail(
            "E511",
            "several names need an operation that joins them",
            place,
            help="add `concat: 0`, or use groups such as `(q k v)`",
        )
    rows = len(theirs[0].groups[joined]) if joined is not None else len(theirs)
    _check_order(words, indexed=indexed, rows=rows, place=place)
    return Pairing(parts=parts, joined=joined, rows=rows, indexed=indexed)


def _extra_index(ours: NamePattern, theirs: Sequence[NamePattern], words: Sequence[str], place: Span) -> bool:
    """Whether their names have one `*` more than ours, for `stack` to consume.

    Raises SpecError E511 for any other difference.
    """
    counts = {pattern.stars for pattern in theirs}
    if len(counts) > 1:
        fail(
            "E511", "the names of a list have different numbers of `*`", place, help="give each the same number of `*`"
        )
    extra = counts.pop() - ours.stars
    if extra < 0:
        fail("E511", f"`{ours}` has {-extra} more `*` than their name", place, help="give both sides the same indices")
    if extra == 1 and "stack" in words:
        return True
    if extra:
        help = "an extra `*` needs `stack: AXIS`" if extra == 1 else "at most one extra `*` can be stacked"
        fail("E511", f"their name has {extra} more `*` than `{ours}`", place, help=help)
    return False


def _extra_groups(
    ours: NamePattern, theirs: Sequence[NamePattern], splits: bool, joins: bool, place: Span
) -> tuple[int | None, int | None]:
    """Find our group that `split` produces and their group that is joined: those without which all others pair.

    If several choices pair by length, the one whose groups are equal on both sides is used. Raises SpecError E511 if
    none or several remain.
    """
    fits: list[tuple[bool, int | None, int | None]] = []
    for parts in _places(ours, splits):
        for joined in _places(theirs[0], joins):
            left = _without(ours, parts)
            rights = [_without(pattern, joined) for pattern in theirs]
            if all([len(group) for group in right] == [len(group) for group in left] for right in rights):
                fits.append((left == rights[0], parts, joined))
    # Equal texts on both sides identify the pairing if several have the right lengths.
    best = [fit for fit in fits if fit[0]] or fits
    if len(best) != 1:
        what = "pair ambiguously" if best else "do not pair"
        help = _groups_help(splits, joins)
        fail("E511", f"the groups of `{ours}` and `{theirs[0]}` {what}", place, help=help)
    return best[0][1:]


def _places(pattern: NamePattern, wanted: bool) -> Sequence[int | None]:
    """Return the candidates for the consumed group: all, or none if no operation consumes one."""
    return range(len(pattern.groups)) if wanted else [None]


def _groups_help(splits: bool, joins: bool) -> str:
    if splits:
        return "our name needs one more group, the parts of `split`; all others pair in order"
    if joins:
        return "their name needs one more group, or a list of names; all others pair in order"
    return (
        "groups pair in order and must have the same number of names; an extra group needs `split`, `concat` or `stack`"
    )


def _without(pattern: NamePattern, number: int | None) -> list[tuple[str, ...]]:
    """Return the groups without the one of this number."""
    return [group for place, group in enumerate(pattern.groups) if place != number]


def _check_order(words: Sequence[str], *, indexed: bool, rows: int, place: Span) -> None:
    """Raise E511 unless `split` meets one tensor and indices are stacked before names are joined."""
    for word in words:
        if word == "stack" and indexed:
            indexed = False
        elif word in ("concat", "stack"):
            if indexed:
                fail("E511", f"`{word}` cannot be applied to the tensors of a `*`", place, help="stack them first")
            rows = 1
        elif word == "split" and (indexed or rows > 1):
            fail(
                "E511",
                "`split` cannot be applied to several tensors",
                place,
                help="write `concat` or `stack` before it",
            )
