"""The plan of a generation: determined, and proved to be valid, before anything runs."""

from __future__ import annotations

from typing import Literal

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.size_use import counts_positions
from archspec.decoding.growing import Growing, growing
from archspec.decoding.prefixes import Prefixes, prefixes
from archspec.decoding.proofs import Proofs
from archspec.diagnostics import SpecError, fail
from archspec.model.ports import Interface, interface_of
from archspec.passes.incremental.incremental import incremental
from archspec.record import record
from archspec.rules.unpadded import Unpadded
from archspec.spec import Spec
from archspec.spec.decode import check_ids
from archspec.spec.spec import Decode

Side = Literal["right", "left", "none"]
"""The side on which shorter sequences of a batch are padded; `none`: only sequences of equal length run together.

`right` is exact because later positions do not matter: causality is proved, and nothing is computed from the number of
positions. `left` is exact because a padded row is proved to be what its valid positions give alone.
"""


@record(eq=False)
class GenerationPlan:
    """How a spec generates.

    `length` is the dim of the fed-back positions and `rows` that of the batch; None means a fixed size. `most` is the
    largest number of positions that can be fed back, and `side` the side on which shorter rows are padded. Each row
    starts with all of its `prefixes`.
    """

    spec: Spec
    decode: Decode
    interface: Interface
    growing: Growing
    side: Side
    length: Symbol | None
    rows: Symbol | None
    most: int
    prefixes: Prefixes

    def admitted(self, length: int) -> int:
        """The number of positions at which to run a batch whose longest row has `length`."""
        if self.length is None:
            return self.most
        return length if self.side == "none" else at_least(self.length, length)

    @property
    def vocab(self) -> int:
        """The number of ids that can be chosen."""
        count = self.spec.outputs[self.decode.output].type.shape[2].constant
        # `plan` raises SpecError E746 where it is not fixed.
        assert count is not None
        return count

    def batch(self, rows: int) -> int:
        """The admitted batch size for `rows` rows: the batch may have a fixed or a least size, or a multiple."""
        if self.rows is not None:
            return at_least(self.rows, rows)
        return self.spec.inputs[self.decode.input].type.shape[0].constant or rows

    def capacity(self, length: int) -> int:
        """The admitted number of positions for a cache of rows that grow to `length`."""
        return self.most if self.length is None else at_least(self.length, length)


def plan(spec: Spec) -> GenerationPlan:
    """Determine how a spec generates.

    Raises:
        SpecError: E740 without a `decode` section; E743 if the output is not proved to be causal in the fed-back input
            or its rows are not proved to be independent; E745 for an input without a value for new positions, and for
            an axis that cannot grow one by one; E746 for token ids out of range.
    """
    decode = spec.decode
    if decode is None:
        help = "add `decode: {input: ids, output: logits, start: none, end: none}`"
        fail("E740", f"`{spec.name}` has no `decode` section", None, help=help)
    fed = spec.inputs[decode.input]
    rows, length = (_alone(spec, decode, size) for size in fed.type.shape)
    most = fed.type.shape[1].maximum()
    assert most is not None
    _check_ids(spec, decode)
    others = growing(spec, decode, length)
    proofs = Proofs(spec, decode)
    opened = Prefixes() if proofs.is_causal_in(fed.name) else _prefixes(spec, decode, proofs)
    proofs.require_rows()
    return GenerationPlan(
        spec=spec,
        decode=decode,
        interface=interface_of(spec),
        growing=others,
        side=_side(spec, others, length, proofs),
        length=length,
        rows=rows,
        most=most,
        prefixes=opened,
    )


def _prefixes(spec: Spec, decode: Decode, proofs: Proofs) -> Prefixes:
    """The prefixes of a spec whose output is causal after them alone.

    That nothing else reads later positions is what the step on new positions proves: it admits a prefix that the first
    positions cover. Raises SpecError E743 for any other spec.
    """
    found = prefixes(spec.graph, spec.inputs[decode.input].type.shape[0])
    if not found:
        # It raises here: without a prefix the output would have to be causal.
        proofs.require_causal()
    try:
        incremental(spec.graph, decode.input, [decode.output])
    except SpecError:
        proofs.require_causal()
    assert found is not None
    return found


def at_least(symbol: Symbol, size: int) -> int:
    """The smallest size that the dim admits and that is at least `size`; its maximum is not considered."""
    return max(-(-size // symbol.multiple) * symbol.multiple, symbol.min)


def _alone(spec: Spec, decode: Decode, size: Dim) -> Symbol | None:
    """The dim that a size consists of; None for a fixed size. Raises SpecError E745 for an expression of dims."""
    if size.is_constant:
        return None
    symbols = size.symbols()
    if len(symbols) != 1 or size != Dim.of(next(iter(symbols))):
        message = f"`{decode.input}` has an axis of size `{size}`, which cannot grow one by one"
        fail("E745", message, spec.inputs[decode.input].span, help="give the axis a dim of its own")
    return next(iter(symbols))


def _check_ids(spec: Spec, decode: Decode) -> None:
    """Check that every id that can be chosen can be fed back, and that the ids in `decode` are in range.

    Raises SpecError E746 if not, or if the number of ids is not fixed.
    """
    fields = spec.document.decode
    assert fields is not None
    fed, logits = spec.inputs[decode.input].type, spec.outputs[decode.output].type
    count = logits.shape[2].constant
    if count is None:
        fail(
            "E746", f"`{decode.output}` has logits over `{logits.shape[2]}` ids, which is not fixed", fields.output.span
        )
    if fed.bound is None:
        message = f"`{decode.input}` has no bound, so its valid ids are unknown"
        fail("E746", message, spec.inputs[decode.input].span, help=f"declare `{fed} < {count}`")
    bound = count if fed.bound.constant is None else fed.bound.constant
    if bound < count:
        message = f"`{decode.output}` has logits over {count} ids, but `{decode.input}` takes {bound}"
        fail("E746", message, fields.output.span)
    outside = check_ids(spec)
    if outside:
        raise SpecError(outside)


def _side(spec: Spec, others: Growing, length: Symbol | None, proofs: Proofs) -> Side:
    """The side on which shorter rows can be padded without changing results, as far as it is proved; see `Side`."""
    valid = others.valid
    if valid is not None and spec.inputs[valid].padding == "left":
        value = next(value for value in spec.graph.inputs if value.name == valid)
        return "left" if Unpadded(spec.graph, value, "left").holds(spec.outputs[proofs.decode.output]) else "none"
    if length is not None and counts_positions(spec.graph, length):
        return "none"
    return "right" if valid is None or proofs.is_causal_in(valid) else "none"
