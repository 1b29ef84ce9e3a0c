"""Random files around one situation each, in which rules have been proved wrongly and which random steps seldom meet.

A situation draws its details, and asks rules of its own: some hold, some are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce

import numpy as np

from tests.yaml_fuzz.draft import VOCAB, WIDTH, Asked, Draft, Made, Size
from tests.yaml_fuzz.masks import (
    Mask,
    Pred,
    anything,
    causal,
    compared,
    either,
    joined,
    key_valid,
    last,
    near,
    negated,
    query_valid,
)

MANY = range(13, 17)
"""How many atoms: more than a relation keeps."""


def situated(draft: Draft, number: int) -> None:
    """Fill a file with the situation of a number."""
    SITUATIONS[number % len(SITUATIONS)](draft)


# -- what the situations share


def _ground(draft: Draft, least: int = 1, multiple: int = 1) -> tuple[Made, Made]:
    """A sequence, and another one over as many positions."""
    most = max(6 // multiple * multiple, least)
    draft.dim(1, 2, 3, leads=True, name="batch")
    name = draft.r.choice(("n", "length", "time", "steps"))
    draft.dim(least, most - multiple if most > least else most, most, multiple=multiple, name=name)
    draft.fix()
    axes = (draft.size("batch"), draft.size(name), draft.size(WIDTH))
    return draft.feed("x", axes), draft.feed("other", axes)


def _control(draft: Draft, x: Made, dtype: str, bound: int | None = VOCAB, plain: float = 0.2) -> Made:
    """A control of the positions of x, of each row or of all alike."""
    names = ("valid", "kept", "seen") if dtype == "bool" else ("ids", "kinds", "words")
    axes = x.axes[1:2] if draft.r.random() < plain else x.axes[:2]
    name = draft.r.choice([name for name in names if name not in draft.inputs])
    if dtype == "bool":
        return draft.feed(name, axes, dtype, padding=draft.r.choice(("any", "any", "any", "any", "right", "left")))
    return draft.feed(name, axes, dtype, bound=bound)


def _simple(draft: Draft, control: Made) -> Pred:
    """A predicate of one comparison, or of a bool control itself."""
    name = control.name
    if control.dtype == "bool":
        found = Pred(name, (name,), lambda a: a[name])
        return negated(found) if draft.r.random() < 0.3 else found
    return compared(
        name, draft.r.choice(("==", "!=", "<", ">=", ">")), draft.r.randrange(1, (control.bound or VOCAB) - 1)
    )


def _truths(pred: Pred, control: Made) -> tuple[bool, ...]:
    """The truth of a predicate at each value of its only control."""
    values = np.array((False, True)) if control.dtype == "bool" else np.arange(control.bound or VOCAB)
    return tuple(bool(one) for one in pred.at({control.name: values}))


def _two(draft: Draft, control: Made) -> tuple[Pred, Pred]:
    """Two predicates of one control that may both hold, and neither."""
    while True:
        left, right = _simple(draft, control), _simple(draft, control)
        both = set(zip(_truths(left, control), _truths(right, control), strict=True))
        if {(True, True), (False, False)} <= both:
            return left, right


def _attended(draft: Draft, query: Made, keys: Made, masks: Sequence[Mask]) -> Made:
    """Attention under all of some masks, and maybe a map of each position after it."""
    mask = reduce(partial(joined, "&"), masks)
    reads = [query, keys, *(value for value in draft.values if value.name in mask.names)]
    heads = draft.r.choice((1, 1, 2))
    fields = f"query: {query.name}, key: {keys.name}, value: {keys.name}, heads: {heads}, mask: {mask.text}"
    return _mapped(draft, draft.node("attend", fields, query.axes, reads=reads))


def _mapped(draft: Draft, x: Made) -> Made:
    """A value, or a map of each of its positions."""
    way = draft.r.choice(("none", "none", "linear", "tanh"))
    if way == "linear":
        return draft.node("linear", f"input: {x.name}, dim: {WIDTH}", x.axes, reads=[x])
    return draft.expression(f"tanh({x.name})", x, [x]) if way == "tanh" else x


def _any(masks: list[Mask]) -> Mask:
    return reduce(partial(joined, "|"), masks)


# -- a predicate, and what it restricts, at other places


def moved_guards(draft: Draft) -> None:
    """What a predicate restricts is moved, or the predicate is; the rule takes both where they stood at first."""
    x, other = _ground(draft, least=draft.r.choice((2, 3)))
    control = _control(draft, x, draft.r.choice(("bool", "int64")), plain=0)
    one, another = _simple(draft, control), _simple(draft, control)
    values, both = (_shifted, _shifted, _rolled), (_shifted, _rolled, _cut_apart, _cut_apart, _control_shifted)
    # Of a padded control one of the two ways may hold by what the padding promises.
    for pred, moves, by in ((one, values, 1), (one, values, -1), (another, both, draft.r.choice((1, -1)))):
        keys, place = draft.r.choice(moves)(draft, x, control, by)
        query = draft.r.choice((other, x)) if keys.axes == x.axes else _cut(draft, other, "stop: -1")
        y = _attended(draft, query, keys, [key_valid(_of(pred, control, place))])
        own = [last("1", lambda k: 1)] if query is x else []
        draft.asked.append(Asked(y, x, mask=_any([key_valid(pred), *own])))


def _of(pred: Pred, control: Made, other: Made) -> Pred:
    """The predicate of another control than its own."""
    return Pred(
        pred.text.replace(control.name, other.name),
        (other.name,),
        lambda a: pred.at({**a, control.name: a[other.name]}),
    )


def _shifted(draft: Draft, x: Made, control: Made, by: int) -> tuple[Made, Made]:
    return draft.node("shift", f"input: {x.name}, axis: 1, by: {by}", x.axes, reads=[x]), control


def _rolled(draft: Draft, x: Made, control: Made, by: int) -> tuple[Made, Made]:
    if "roll" not in draft.words:
        return _shifted(draft, x, control, by)
    return draft.node("roll", f"input: {x.name}, axis: 1, by: {by}", x.axes, reads=[x]), control


def _cut_apart(draft: Draft, x: Made, control: Made, by: int) -> tuple[Made, Made]:
    """Of one the first is cut off, of the other the last, or of both the same."""
    first, end = ("start: 1", "stop: -1") if by == 1 else ("stop: -1", "start: 1")
    return _cut(draft, x, first), _cut(draft, control, draft.r.choice((first, end, end)))


def _cut(draft: Draft, x: Made, way: str) -> Made:
    axes = (x.axes[0], draft.plus(x.axes[1], -1), *x.axes[2:])
    return draft.node("slice", f"input: {x.name}, axis: 1, {way}", axes, x.dtype, [x], x.bound)


def _control_shifted(draft: Draft, x: Made, control: Made, by: int) -> tuple[Made, Made]:
    fields = f"input: {control.name}, axis: 1, by: {by}, fill: 0"
    return x, draft.node("shift", fields, control.axes, control.dtype, [control], control.bound)


# -- a control that changes, under a mask that it decides


def erased(draft: Draft) -> None:
    """A mask of two predicates of one control, of which each would restrict where the other is read; the control
    itself changes.
    """
    x, _ = _ground(draft, least=draft.r.choice((1, 2)))
    for _ in range(2):
        control = _control(draft, x, draft.r.choice(("bool", "int64", "int64")), plain=0)
        left, right = _two(draft, control)
        restrict = key_valid(left), joined("|", key_valid(right), draft.r.choice((causal(), near(1))))
        if control.dtype == "int64" and draft.r.random() < 0.7:
            restrict = key_valid(left), key_valid(right)
        y = _attended(draft, x, x, draft.r.sample(restrict, 2))
        draft.asked.append(Asked(y, control, mask=_any(list(restrict))))
        draft.asked.append(Asked(y, control, where=draft.r.choice((negated(left), either(negated(left), right)))))


# -- a predicate that a rule names, and does not fix


def named_unfixed(draft: Draft) -> None:
    """A rule hides positions by a predicate or another one, between which a position may change."""
    x, _ = _ground(draft)
    for _ in range(2):
        control = _control(draft, x, "int64")
        pred, more = _two(draft, control)
        hidden = either(negated(pred), more) if draft.r.random() < 0.5 else either(more, negated(pred))
        draft.asked.append(Asked(_restricted(draft, x, control, pred), control, where=hidden))


def _restricted(draft: Draft, x: Made, control: Made, pred: Pred) -> Made:
    """What reads x under a predicate, by one of the ways that the language has."""
    way = draft.r.choice(("attend", "attend", "query", "pool", "select"))
    reads = [x, control]
    if way == "pool" and len(control.axes) == 2:
        return draft.node(
            "pool", f"input: {x.name}, kind: mean, valid: {pred.text}", (x.axes[0], x.axes[2]), reads=reads
        )
    if way == "select" and len(control.axes) == 2:
        return draft.node("select", f"input: {x.name}, where: {pred.text}", x.axes, reads=reads)
    return _attended(
        draft, x, x, [(query_valid if way == "query" else key_valid)(pred), draft.r.choice((anything(), causal()))]
    )


# -- two ends of which neither is always the nearer one


def two_ends(draft: Draft) -> None:
    """A window up to two ends, which no size orders, against attention up to one of them, or further."""
    multiple = draft.r.choice((1, 1, 2))
    x, other = _ground(draft, least=multiple, multiple=multiple)
    for _ in range(2):
        ends = draft.r.sample(_ends(draft, x.axes[1], multiple), 2)
        mask = draft.r.choice((causal(), causal(), *ends))
        y = _attended(draft, draft.r.choice((x, other)), x, [mask])
        draft.asked.append(Asked(y, x, mask=joined("&", *ends)))


def _ends(draft: Draft, size: Size, multiple: int) -> list[Mask]:
    """Windows that end at a number, or by the length."""
    by_length = [last(size.text, lambda k: k)]
    if multiple == 2:
        by_length.append(last(f"{size.text}//2", lambda k: k // 2))
    count = draft.r.choice((2, 3))
    return [*by_length, draft.r.choice((last(str(count), lambda k: count), near(count)))]


# -- more atoms than a relation keeps


def many_atoms(draft: Draft) -> None:
    """A rule of more atoms than a relation keeps, against a mask that allows more, as much, or less."""
    r = draft.r
    x, _ = _ground(draft)
    ids = _control(draft, x, "int64", bound=r.randrange(27, 34), plain=0)
    side = r.choice((key_valid, key_valid, query_valid))
    for _ in range(2):
        numbers = r.sample(range(ids.bound or 0), r.choice(MANY))
        parts = [side(compared(ids.name, "==", number)) for number in sorted(numbers)]
        if r.random() < 0.3:
            parts[0] = joined("&", parts[0], r.choice((causal(), near(1))))
        held = r.choice((anything(), anything(), causal(), _any(parts), _any(parts[:-1])))
        y = _attended(draft, x, x, [held])
        draft.asked.append(Asked(_told(draft, y, ids), x, mask=_any([*parts, last("1", lambda k: 1)])))


def _told(draft: Draft, x: Made, ids: Made) -> Made:
    """The sequence with a table of the ids added, so that they are read."""
    fields = f"ids: {ids.name}, vocab: {ids.bound}, dim: {WIDTH}"
    table = draft.node("token_embedding", fields, x.axes, reads=[ids])
    return draft.expression(f"{x.name} + {table.name}", x, [x, table])


SITUATIONS: tuple[Callable[[Draft], None], ...] = (moved_guards, erased, named_unfixed, two_ends, many_atoms)
