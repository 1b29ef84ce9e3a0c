"""Random masks and predicates: as text, and as what they are on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.yaml_fuzz.draft import VOCAB, Draft, Made, Size

Arrays = Mapping[str, NDArray]
"""Inputs and other known values by name."""

_COMPARE: Mapping[str, Callable] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


@dataclass(frozen=True)
class Pred:
    """A predicate over the axes of what it names: `at` gives it as an array of those axes."""

    text: str
    names: tuple[str, ...]
    at: Callable[[Arrays], NDArray]


@dataclass(frozen=True)
class Mask:
    """A mask: `pairs` gives the allowed pairs [rows, queries, keys] for one row of the arrays' first axis."""

    text: str
    names: tuple[str, ...]
    pairs: Callable[[Arrays, int, int], NDArray]
    """Of arrays, the numbers of queries and of keys."""
    causal: bool = False


def negated(pred: Pred) -> Pred:
    """The contrary of a predicate."""
    return Pred(f"not ({pred.text})", pred.names, lambda a: ~pred.at(a))


def either(left: Pred, right: Pred) -> Pred:
    """One of two predicates."""
    return Pred(f"({left.text}) or ({right.text})", (*left.names, *right.names), lambda a: left.at(a) | right.at(a))


def predicate(draft: Draft, controls: Sequence[Made], depth: int = 2) -> Pred | None:
    """A predicate on some of the controls, which share their axes."""
    r = draft.r
    if not controls:
        return None
    if depth and r.random() < 0.25:
        left, right = predicate(draft, controls, depth - 1), predicate(draft, controls, depth - 1)
        assert left is not None
        assert right is not None
        word = r.choice(("and", "or"))
        join = np.logical_and if word == "and" else np.logical_or
        return Pred(
            f"({left.text}) {word} ({right.text})", (*left.names, *right.names), lambda a: join(left.at(a), right.at(a))
        )
    control = r.choice(list(controls))
    name = control.name
    if control.dtype == "bool":
        if r.random() < 0.35:
            return Pred(f"not {name}", (name,), lambda a: ~a[name])
        return Pred(name, (name,), lambda a: a[name])
    return compared(name, r.choice(list(_COMPARE)), r.randrange(control.bound or VOCAB))


def compared(name: str, kind: str, number: int) -> Pred:
    """An integer control compared with a number."""
    return Pred(f"{name} {kind} {number}", (name,), lambda a: _COMPARE[kind](a[name], number))


def joined(word: str, left: Mask, right: Mask) -> Mask:
    """Two masks joined by `&` or `|`."""
    join = np.logical_and if word == "&" else np.logical_or
    causal = (left.causal or right.causal) if word == "&" else (left.causal and right.causal)
    texts = [f"({one.text})" if word == "&" and "|" in one.text else one.text for one in (left, right)]
    return Mask(
        f" {word} ".join(texts),
        (*left.names, *right.names),
        lambda a, q, k: join(left.pairs(a, q, k), right.pairs(a, q, k)),
        causal,
    )


def anything() -> Mask:
    """Every pair."""
    return Mask("all", (), lambda a, q, k: np.ones((1, q, k), bool))


def causal() -> Mask:
    """No key after the query."""
    return Mask("causal", (), lambda a, q, k: _ahead(q, k) <= 0, True)


def last(text: str, count: Callable[[int], int]) -> Mask:
    """The last keys up to the query; how many, as text and of the number of keys."""
    return Mask(f"last({text})", (), lambda a, q, k: (_ahead(q, k) <= 0) & (_ahead(q, k) > -count(k)), True)


def near(n: int) -> Mask:
    """Keys at most so far from the query."""
    return Mask(f"within({n})", (), lambda a, q, k: np.abs(_ahead(q, k)) <= n)


def key_valid(pred: Pred) -> Mask:
    """Keys at which a predicate holds."""
    return Mask(
        f"key_valid({pred.text})",
        pred.names,
        lambda a, q, k: np.broadcast_to(pred.at(a).reshape(-1, 1, k), (pred.at(a).size // k, q, k)),
    )


def query_valid(pred: Pred) -> Mask:
    """Queries at which a predicate holds."""
    return Mask(
        f"query_valid({pred.text})",
        pred.names,
        lambda a, q, k: np.broadcast_to(pred.at(a).reshape(-1, q, 1), (pred.at(a).size // q, q, k)),
    )


class Masker:
    """Draws masks between queries and keys, whose controls stand over `[lead, keys]` or `[keys]`."""

    def __init__(self, draft: Draft, lead: Size, queries: Size, keys: Size, only_inputs: bool = False) -> None:
        self.draft, self.lead, self.queries, self.keys = draft, lead, queries, keys
        self.only_inputs = only_inputs
        self.square = queries == keys

    def controls(self, dtype: str, positions: Size, batch: bool = True) -> list[Made]:
        found = [v for v in self.draft.of(dtype, (self.lead, positions)) if v.fed or not self.only_inputs]
        if batch and found:
            return found
        return found or [v for v in self.draft.of(dtype, (positions,)) if v.fed or not self.only_inputs]

    def mask(self, back_only: bool = False) -> Mask:
        """A mask; one that implies `causal` where asked. The file remembers it."""
        found = self._drawn(back_only)
        if not self.only_inputs:
            self.draft.masks.append((self.queries, self.keys, found))
        return found

    def known(self) -> list[Mask]:
        """Masks of the file between as many queries and keys, by inputs alone."""
        found = [mask for queries, keys, mask in self.draft.masks if (queries, keys) == (self.queries, self.keys)]
        return [mask for mask in found if set(mask.names) <= set(self.draft.inputs)]

    def _drawn(self, back_only: bool = False, depth: int = 1) -> Mask:
        r = self.draft.r
        if back_only:
            base = causal() if r.random() < 0.5 else self._last()
            return joined("&", base, self._drawn(depth=0)) if r.random() < 0.6 else base
        if depth and r.random() < 0.45:
            word = "&" if r.random() < 0.7 else "|"
            return joined(word, self._drawn(depth=depth - 1), self._drawn(depth=depth - 1))
        atoms = [anything, self._valid, self._valid, self._prefix]
        if self.square:
            atoms += [causal, causal, self._last, self._within, self._segment]
        if "query_valid" in self.draft.words:
            atoms.append(self._query)
        return r.choice(atoms)()

    def many(self) -> Mask:
        """More parts, joined by or, than the prover has atoms."""
        found = self._drawn(depth=0)
        for _ in range(14):
            found = joined("|", found, joined("&", self._valid(), self._drawn(depth=0)))
        return found

    def _last(self) -> Mask:
        n = self.draft.r.randint(1, 3)
        if self.draft.r.random() < 0.2 and self.keys.text in self.draft.dims:
            return last(self.keys.text, lambda k: k)
        return last(str(n), lambda k: n)

    def _within(self) -> Mask:
        return near(self.draft.r.randint(1, 2))

    def _valid(self) -> Mask:
        found = predicate(self.draft, [*self.controls("bool", self.keys), *self.controls("int64", self.keys)])
        if found is None:
            return anything()
        self.draft.preds.append(found)
        return key_valid(found)

    def _query(self) -> Mask:
        found = predicate(self.draft, [*self.controls("bool", self.queries), *self.controls("int64", self.queries)])
        return anything() if found is None else query_valid(found)

    def _segment(self) -> Mask:
        known = self.controls("int64", self.keys)
        if not known:
            return causal()
        name = self.draft.r.choice(known).name
        return Mask(
            f"same_segment({name})", (name,), lambda a, q, k: a[name].reshape(-1, q, 1) == a[name].reshape(-1, 1, k)
        )

    def _prefix(self) -> Mask:
        known = [v for v in self.draft.of("int64", (self.lead,)) if v.fed]
        if known and self.draft.r.random() < 0.6:
            name = self.draft.r.choice(known).name
            return Mask(
                f"prefix({name})",
                (name,),
                lambda a, q, k: np.broadcast_to(np.arange(k) < a[name].reshape(-1, 1, 1), (a[name].size, q, k)),
            )
        n = self.draft.r.randint(1, 2)
        return Mask(f"prefix({n})", (), lambda a, q, k: np.broadcast_to(np.arange(k) < n, (1, q, k)))


def _ahead(q: int, k: int) -> NDArray:
    """How far ahead of the query each key stands."""
    return (np.arange(k)[None, :] - np.arange(q)[:, None])[None]
