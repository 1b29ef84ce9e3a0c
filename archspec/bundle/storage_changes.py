"""What changed between two bundles in how weights are stored, what is rounded, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.bundle.manifest import LossEntry, Manifest, QuantisedEntry
from archspec.bundle.quantised_counts import FLOAT
from archspec.diff.changes import Change
from archspec.diff.words import listed


def storage_changes(before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """A change for each pair of formats, with the weights that it is about, then those of what is rounded, and losses.

    Losses differ with the inputs too: they are told where anything above changed, or where the inputs are the same.
    """
    old, new = before.quantised, after.quantised
    found = [*_stored(old, new), *_rounded(old, new)]
    first, second = _losses(old), _losses(new)
    losses = [
        one
        for what in dict.fromkeys(("loss", *first, *second))
        for one in _loss(what, first.get(what), second.get(what), any_other=bool(found) and what == "loss")
    ]
    return (*found, *losses)


def _stored(old: QuantisedEntry | None, new: QuantisedEntry | None) -> Iterator[Change]:
    """How weights are stored that both have."""
    left, right = _formats(old), _formats(new)
    # Of a bundle that does not name what stays float, what is not named does.
    sides = ((left, _is_whole(old)), (right, _is_whole(new)))
    known = [path for path in {**left, **right} if all(path in own or not whole for own, whole in sides)]
    yield from _grouped("weights", {path: (left.get(path, FLOAT), right.get(path, FLOAT)) for path in known})


def _formats(entry: QuantisedEntry | None) -> Mapping[str, str]:
    """The format of every weight that is known."""
    return {} if entry is None else {**entry.formats, **dict.fromkeys(entry.floats or (), FLOAT)}


def _is_whole(entry: QuantisedEntry | None) -> bool:
    """Whether an entry names all weights that could be integers."""
    return entry is not None and entry.floats is not None


def _rounded(old: QuantisedEntry | None, new: QuantisedEntry | None) -> Iterator[Change]:
    """On which grids products read, what the cache keeps, and whose inputs are rounded when it runs."""
    left, right = ({} if one is None else one.activations for one in (old, new))
    grids = {path: (left.get(path, FLOAT), right.get(path, FLOAT)) for path in {**left, **right}}
    yield from _grouped("activations", grids)
    was, now = (FLOAT if one is None else one.kv_cache or FLOAT for one in (old, new))
    if was != now:
        yield _change("cache", was, now)
    was, now = ("nowhere" if one is None else ", ".join(one.rounding) or "nowhere" for one in (old, new))
    if was != now:
        yield _change("inputs rounded", was, now)


def _grouped(what: str, pairs: Mapping[str, tuple[str, str]]) -> Iterator[Change]:
    """A change for each pair that differs, with all places where it does."""
    for pair in dict.fromkeys(one for one in pairs.values() if one[0] != one[1]):
        yield _change(what, pair[0], pair[1], tuple(path for path, one in pairs.items() if one == pair))


def _change(what: str, before: str, after: str, places: tuple[str, ...] = ()) -> Change:
    where = f" in {listed(places)}" if places else ""
    return Change(kind="stored", places=places, text=f"{what}: {before} -> {after}{where}", before=before, after=after)


def _losses(entry: QuantisedEntry | None) -> Mapping[str, LossEntry]:
    """What is lost: by the weights, and by each target that rounds its inputs."""
    if entry is None:
        return {}
    own = {} if entry.loss is None else {"loss": entry.loss}
    return {**own, **{f"loss of {target}, inputs rounded": one for target, one in entry.rounding.items()}}


def _loss(what: str, one: LossEntry | None, other: LossEntry | None, *, any_other: bool) -> Iterator[Change]:
    """How a loss differs; where only one of the two was measured, or on other inputs, if `any_other` thing changed."""
    if one is not None and other is not None and one.sha256 == other.sha256:
        before, after = _measures(one), _measures(other)
        told = [f"{name} {before[name]} -> {after[name]}" for name in before if name in after]
        if before != after:
            text = f"{what} on {other.data}: {', '.join(told)}"
            yield Change(kind="loss", places=(), text=text, before=str(one), after=str(other))
    elif any_other and one != other:
        was, now = ("not measured" if loss is None else str(loss) for loss in (one, other))
        yield Change(kind="loss", places=(), text=f"{what}: {was}; now {now}", before=was, after=now)


def _measures(loss: LossEntry) -> Mapping[str, str]:
    """What is lost, by name."""
    found = {"kl": f"{loss.kl:.3g}", "same first choice": f"{loss.agreement:.2%}"}
    found |= {} if loss.perplexity is None else {"perplexity": f"{loss.perplexity[1]:.4g}"}
    return found | ({} if loss.accuracy is None else {"accuracy": f"{loss.accuracy[1]:.2%}"})
