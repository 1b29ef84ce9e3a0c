"""The integers that a checkpoint has already: which weights can be stored as these, and why the others cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.analyses.parameters import expand
from archspec.diagnostics import fail
from archspec.ir.storage import Storage
from archspec.layouts.parameters import shape_of
from archspec.passes.quantise import Storable, storable
from archspec.quantising.plan import Plan
from archspec.record import record
from archspec.spec import Spec
from archspec.weights.gguf.blocks import OFFSETS, PACKINGS
from archspec.weights.gguf.reading import PLAIN
from archspec.weights.integers import Moved, moved
from archspec.weights.load import MatchedWeights, matched_weights

if TYPE_CHECKING:
    from torch import Tensor


@record
class GivenIntegers:
    """What a checkpoint has for one parameter, over all layers.

    `formats` are its formats in the file. `storage` holds its integers and scales exactly; None where none does, for
    the `reason`.
    """

    formats: tuple[str, ...]
    storage: Storage | None
    reason: str = ""

    def told(self, path: str, plan: Plan) -> str:
        """Say what became of a parameter whose integers were not kept."""
        made = f"rounded to {plan[path]}" if path in plan else "stored as floats"
        reason = f" ({self.reason})" if self.reason else ""
        return f"`{path}` is {', '.join(self.formats)} in the file: {made}{reason}"


@record(eq=False)
class _Found:
    """A tensor of ours: its path, the formats that it is made of, and its integers."""

    path: str
    formats: tuple[str, ...]
    moved: Moved | None


def given_integers(spec: Spec, weights: str | Path, layout: str | None) -> dict[str, GivenIntegers]:
    """Tell what a checkpoint has by the paths of parameters, plain numbers left out; only headers are read.

    Raises SpecError E631 where no parameter can be stored as it is there, and those of `matched_weights`.
    """
    layers = defaultdict[str, list[_Found]](list)
    with matched_weights(spec, weights, layout) as matched:
        for found in _found(spec, matched):
            layers[found.path].append(found)
    known = storable(spec.graph)
    given = {path: _given(found, known.get(path)) for path, found in layers.items()}
    given = {path: one for path, one in given.items() if not PLAIN.keys() >= {*one.formats}}
    if all(one.storage is None for one in given.values()):
        notes = sorted({f"{', '.join(one.formats)}: {one.reason}" for one in given.values()})
        help = "give a GGUF file in Q8_0, Q4_0 or Q6_K, or a format to round to, such as `int8`"
        fail("E631", f"{weights} has no integers that weights could be stored as", None, notes=notes, help=help)
    return given


def read_integers(
    spec: Spec, weights: str | Path, layout: str | None, plan: Plan
) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    """Yield integers and scales by name for the parameters of a plan, whose storages `given_integers` gave."""
    paths = _paths(spec)
    with matched_weights(spec, weights, layout) as matched:
        for step in matched.match.steps:
            blocks = {name: plan[paths[name]].block for name in step.ours if paths[name] in plan}
            if not blocks or matched.file is None:
                continue
            one = moved(step, [matched.ours[name] for name in step.ours], matched.file)
            # The plan was made of what can be moved.
            assert one is not None
            for block in {block for block in blocks.values() if block is not None}:
                read = one.read(matched.file, block)
                yield from ((name, read[name]) for name, own in blocks.items() if own == block)


def _paths(spec: Spec) -> Mapping[str, str]:
    """The path of each tensor by its name."""
    return {name: parameter.path for name, parameter in expand(spec.graph).items()}


def _found(spec: Spec, matched: MatchedWeights) -> Iterator[_Found]:
    """What each of our tensors is in the file; nothing where tensors are given without one."""
    file, paths = matched.file, _paths(spec)
    for step in matched.match.steps if file is not None else ():
        assert file is not None
        formats = tuple(dict.fromkeys(file.dtypes[name] for name in step.names))
        one = moved(step, [matched.ours[name] for name in step.ours], file)
        yield from (_Found(path=paths[name], formats=formats, moved=one) for name in step.ours)


def _given(layers: Sequence[_Found], one: Storable | None) -> GivenIntegers:
    """What all layers of a parameter have."""
    formats = tuple(dict.fromkeys(format for layer in layers for format in layer.formats))
    known = [layer.moved for layer in layers if layer.moved is not None]
    reason = _reason(formats, one)
    if not reason and len(known) < len(layers):
        reason = "the layout cuts its blocks, or computes values"
    if reason or one is None:
        return GivenIntegers(formats=formats, storage=None, reason=reason)
    # Runtimes look up rows of bytes, which hold integers of four bits too.
    bits = 8 if one.rows else max(each.bits for each in known)
    block = min(each.block for each in known)
    return GivenIntegers(formats=formats, storage=Storage(bits=bits, channels=one.channels, block=block))


def _reason(formats: Sequence[str], one: Storable | None) -> str:
    """Why formats cannot be kept for a parameter; empty if nothing is known against it."""
    if one is None or len(shape_of(one.parameter.type)) != one.channels + 1:
        return "it is not stored in blocks"
    for format in formats:
        if format not in PACKINGS:
            return f"{format} has {'an offset' if format in OFFSETS else 'no single scale'} for each block"
    return ""
