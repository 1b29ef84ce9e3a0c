"""Inputs, outputs, dims and the settings of decoding that differ; which of them correspond."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping

from archspec.diff.changes import Change, Renamed
from archspec.diff.sizes import JointSizes
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.spec import InputSpec, Spec

Names = Mapping[str, str]
"""The second spec's name for each of the first's."""


def input_names(before: Spec, after: Spec) -> dict[str, str]:
    """Inputs that correspond: by name; then those that alone are read alike; then in order, by dtype and rank."""
    names = {value.name: value.name for value in before.graph.inputs if value.name in after.inputs}
    for key in (_readers, _form):
        old = [(key(before, one), one.name) for one in before.graph.inputs if one.name not in names]
        new = [(key(after, one), one.name) for one in after.graph.inputs if one.name not in names.values()]
        counts = Counter(found for found, _ in old)
        for found, name in old:
            fits = [other for its, other in new if its == found and other not in names.values()]
            if fits and (key is _form or counts[found] == len(fits) == 1):
                names[name] = fits[0]
    return names


def _form(spec: Spec, value: Value) -> Hashable:
    return value.type.dtype, value.type.rank


def _readers(spec: Spec, value: Value) -> Hashable:
    uses = [use for use in spec.graph.uses(value) if use.node is not None]
    read = sorted((use.node.op.name, use.node.path, use.number) for use in uses if use.node is not None)
    return _form(spec, value), tuple(read)


def output_names(before: Spec, after: Spec) -> dict[str, str]:
    """Outputs that correspond: by name, then in order, by dtype and rank."""
    names = {name: name for name in before.outputs if name in after.outputs}
    for name, value in before.outputs.items():
        left = [other for other in after.outputs if other not in names.values()]
        fits = [one for one in left if _form(after, after.outputs[one]) == _form(before, value)]
        if name not in names and fits:
            names[name] = fits[0]
    return names


def renamed(what: str, names: Names) -> Iterator[Renamed]:
    """The names that differ."""
    return (Renamed(what=what, before=one, after=other) for one, other in names.items() if one != other)


def input_changes(before: Spec, after: Spec, names: Names, sizes: JointSizes) -> Iterator[Change]:
    """Inputs that have come or gone, and those whose type or promises differ."""
    for name in before.inputs:
        if name not in names:
            told = f"input `{name}` is gone"
            yield Change(
                kind="interface", places=(name,), text=told, before=str(before.inputs[name].type), effect="lost"
            )
        else:
            yield from _of_input(before.inputs[name], after.inputs[names[name]], sizes)
    for name in after.inputs:
        if name not in names.values():
            told = f"input `{name}` is new: {_type(after.inputs[name])}"
            yield Change(
                kind="interface", places=(name,), text=told, after=str(after.inputs[name].type), effect="gained"
            )
    kept = [names[name] for name in before.inputs if name in names]
    if kept != [name for name in after.inputs if name in kept]:
        order = ", ".join(after.inputs)
        yield Change(kind="interface", places=tuple(after.inputs), text=f"inputs come in another order: {order}")


def _type(given: InputSpec) -> str:
    return f"{given.type}{'' if given.default is None else f', default {_plain(given.default)}'}"


def _of_input(one: InputSpec, other: InputSpec, sizes: JointSizes) -> Iterator[Change]:
    pairs = [("", str(one.type), str(other.type))] if _differ(one.type, other.type, sizes) else []
    for name in ("default", "padding", "sorted"):
        old, new = getattr(one, name), getattr(other, name)
        if old != new or type(old) is not type(new):
            pairs.append((f" {name}", _plain(old), _plain(new)))
    for what, before, after in pairs:
        told = f"input `{other.name}`{what}: {before} -> {after}"
        yield Change(kind="interface", places=(other.name,), text=told, before=before, after=after)


def _plain(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _differ(one: TensorType, other: TensorType, sizes: JointSizes) -> bool:
    mine, its = sizes.before.of(one), sizes.after.of(other)
    return not mine.matches(its) or mine.bound != its.bound


def output_changes(before: Spec, after: Spec, names: Names, sizes: JointSizes) -> Iterator[Change]:
    """Outputs that have come or gone, and those whose type differs."""
    for name, value in before.outputs.items():
        if name not in names:
            told = f"output `{name}` is gone"
            yield Change(kind="interface", places=(name,), text=told, before=str(value.type), effect="lost")
            continue
        now = after.outputs[names[name]]
        if _differ(value.type, now.type, sizes):
            old, new = str(value.type), str(now.type)
            told = f"output `{names[name]}`: {old} -> {new}"
            yield Change(kind="interface", places=(names[name],), text=told, before=old, after=new)
    for name, value in after.outputs.items():
        if name not in names.values():
            told = f"output `{name}` is new: {value.type}"
            yield Change(kind="interface", places=(name,), text=told, after=str(value.type), effect="gained")
    kept = [names[name] for name in before.outputs if name in names]
    if kept != [name for name in after.outputs if name in kept]:
        order = ", ".join(after.outputs)
        yield Change(kind="interface", places=tuple(after.outputs), text=f"outputs come in another order: {order}")


def dim_changes(sizes: JointSizes) -> Iterator[Change]:
    """Dims whose range, typical size or multiple differs."""
    for one, other in sizes.pairs:
        parts = []
        if (one.min, one.max) != (other.min, other.max):
            parts.append(f"{one.min} to {one.max} -> {other.min} to {other.max}")
        more = ((what, getattr(one, what), getattr(other, what)) for what in ("typical", "multiple"))
        parts += [f"{what} {old} -> {new}" for what, old, new in more if old != new]
        if parts:
            told = f"dim `{other.name}`: {', '.join(parts)}"
            yield Change(kind="dims", places=(other.name,), text=told)


def decode_changes(before: Spec, after: Spec, inputs: Names, outputs: Names) -> Iterator[Change]:
    """What generation feeds back, and the ids that it knows."""
    one, other = before.decode, after.decode
    if one is None or other is None:
        if one is not other:
            told = "the spec no longer says how it decodes" if other is None else "the spec says how it decodes"
            yield Change(kind="decode", places=(), text=told, effect="lost" if other is None else "gained")
        return
    pairs = [
        ("input", inputs.get(one.input, one.input), other.input),
        ("output", outputs.get(one.output, one.output), other.output),
        ("start", one.start, other.start),
        ("end", one.end, other.end),
        ("ban", one.ban, other.ban),
    ]
    for what, old, new in pairs:
        if old != new:
            before_, after_ = _ids(old), _ids(new)
            told = f"decode `{what}`: {before_} -> {after_}"
            yield Change(kind="decode", places=(what,), text=told, before=before_, after=after_)


def _ids(found: object) -> str:
    if isinstance(found, tuple):
        return ", ".join(map(str, found)) or "none"
    return "none" if found is None else str(found)
