"""The section `decode`: which output generation feeds back into which input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.diagnostics import Collector, Diagnostic, Label, did_you_mean, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.spec.document import DecodeFields
from archspec.spec.inputs import InputSpec
from archspec.spec.numbers import Numbers
from archspec.spec.reduced import is_reduced
from archspec.spec.spec import Decode, Spec
from archspec.text.expr import Expr
from archspec.text.path import Path


def resolve_decode(
    fields: DecodeFields, inputs: Mapping[str, InputSpec], outputs: Mapping[str, Value], numbers: Numbers
) -> Decode:
    """Check and evaluate `decode`.

    Raises SpecError E201 for an unknown input or output, E224 for one of the wrong type (expected ids
    [batch, positions] and logits [batch, positions, vocab]) or for a negative id.
    """
    found = Collector()
    with found.catching():
        _check_values(fields, inputs, outputs)
    ids: dict[str, list[int]] = {}
    for name, exprs in _written(fields).items():
        ids[name] = []
        for expr in exprs:
            with found.catching():
                ids[name].append(_id(expr, numbers))
    found.raise_if_errors()
    return Decode(
        input=str(fields.input),
        output=str(fields.output),
        start=ids["start"][0] if ids["start"] else None,
        end=tuple(ids["end"]),
        ban=tuple(ids["ban"]),
    )


def check_ids(spec: Spec) -> tuple[Diagnostic, ...]:
    """One error E746 for each id of `decode` outside the vocabulary, and one if all ids are banned.

    The start id must be below the bound of the input that it is fed to, the others below the number of logits. In a
    reduced copy only the start id is compared: its ends and bans are ids of the full vocabulary and never occur.
    """
    fields, decode = spec.document.decode, spec.decode
    if fields is None or decode is None:
        return ()
    taken, scored = spec.inputs[decode.input].type.bound, spec.outputs[decode.output].type.shape[2].constant
    # An input without a bound takes whatever the logits may choose.
    fed = scored if taken is None or taken.constant is None else taken.constant
    given = {"start": () if decode.start is None else (decode.start,), "end": decode.end, "ban": decode.ban}
    is_small = spec.reduced or is_reduced(spec.tree)
    limits = {"start": fed} if is_small else {"start": fed, "end": scored, "ban": scored}
    found = Collector()
    for name, limit in limits.items():
        for id, expr in zip(given[name], _written(fields)[name], strict=True):
            if limit is not None and id >= limit:
                found.error("E746", f"token id out of range: `{name}` {id} >= {limit}", expr.span)
    # Counted, never listed: a vocabulary may be written far too large for memory.
    if scored is not None and len({id for id in decode.ban if id < scored}) == scored:
        found.error("E746", f"`ban` contains all {scored} token ids, so none can be chosen", fields.at)
    return found.diagnostics


def _written(fields: DecodeFields) -> dict[str, Sequence[Expr]]:
    """The expressions of the ids by field, each field as a list."""
    end = fields.end if isinstance(fields.end, list) else [] if fields.end is None else [fields.end]
    return {"start": [] if fields.start is None else [fields.start], "end": end, "ban": fields.ban or []}


def _check_values(fields: DecodeFields, inputs: Mapping[str, InputSpec], outputs: Mapping[str, Value]) -> None:
    """Raise SpecError unless the input is ids [batch, positions] and the output is logits [batch, positions, vocab]."""
    found = Collector()
    for path, names, what in ((fields.input, inputs, "input"), (fields.output, outputs, "output")):
        with found.catching():
            _known(path, names, what)
    found.raise_if_errors()
    grown = inputs[str(fields.input)]
    if not grown.type.dtype.is_integer or grown.type.rank != 2:
        message = f"`{grown.name}` is {grown.type}, expected token ids over [batch, positions]"
        place = Label(grown.span, "declared here")
        fail("E224", message, fields.input.span, secondary=[place], help="name an input of token ids")
    logits = outputs[str(fields.output)].type
    if logits.dtype is not DType.FLOAT or logits.rank != 3 or logits.shape[:2] != grown.type.shape:
        axes = ", ".join(map(str, grown.type.shape))
        message = f"`{fields.output}` is {logits}, expected logits float[{axes}, vocab]"
        fail("E224", message, fields.output.span, help="name the output that scores the next token")


def _known(path: Path, names: Mapping[str, object], what: str) -> str:
    """The name that a path gives. Raises SpecError E201 if it is not one of `names`, which are inputs or outputs."""
    if str(path) not in names:
        help = did_you_mean(str(path), names, kind=f"{what}s")
        fail("E201", f"there is no {what} `{path}`", path.span, help=help)
    return str(path)


def _id(expr: Expr, numbers: Numbers) -> int:
    """The value of a token id. Raises SpecError E224 if it is negative."""
    value = numbers.integer(expr)
    if value < 0:
        fail("E224", f"the id {value} is negative", expr.span, help="write `none` for no id")
    return value
