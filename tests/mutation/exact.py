"""Whether a spec obeys its rules by exact wiring: all small sizes, and all values of what masks read.

Verdicts are reached otherwise: upper rules by relations that hold at all sizes, lower rules at one size. Rows of the
batch are first told apart, at batches of one to three; every other rule is then looked at in one row.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod

from archspec.algebra.dim import Symbol
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.ir.types import DType
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.within import Within
from archspec.masks.mask import Mask
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.record import record
from archspec.relation.atoms import NOTHING, Relation
from archspec.rules.independence import Pair, independence
from archspec.rules.judge import Judge
from archspec.rules.kind import LowerKind, UpperKind, rule_kinds
from archspec.rules.kinds.ignores import IgnoresRule
from archspec.rules.kinds.receptive_field import ReceptiveFieldRule
from archspec.rules.reads import Reads
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.cover import first_unread, in_one_row
from archspec.rules.wiring.grid import CellGrid, bits_of
from archspec.rules.wiring.search import Bad, Witness, inside, outside
from archspec.rules.wiring.wire import Wiring, wirings
from archspec.rules.wiring.world import Tensor, World
from archspec.rules.wiring.worlds import Inputs, open_worlds, reach
from archspec.spec import Rule, Spec

LENGTHS = (1, 2, 3)
"""And one more, at which every window of a rule or of a mask leaves something out."""
MOST_WORLDS = 64
"""Of more values of the controls at one size, so many are drawn by chance."""
_LONGEST = 64


def broken(spec: Spec) -> str | None:
    """The first claim that wiring breaks, with the pair of positions and the sizes; None where it obeys all."""
    judge = Judge(spec)
    pairs = [pair for dim in independence(spec.graph) for pair in dim.pairs]
    found = _wrong(spec, [_apart(judge, pair) for pair in pairs], (1, 2, 3), (3,))
    kinds = [(rule, rule_kinds()[rule.kind]) for rule in spec.rules]
    uppers = [_upper(judge, rule, kind) for rule, kind in kinds if isinstance(kind, UpperKind)]
    found = found or _wrong(spec, uppers, (1,))
    lowers = [(rule, kind) for rule, kind in kinds if isinstance(kind, LowerKind)]
    unseen = (_unseen(spec, judge.dependence.reads, rule, kind) for rule, kind in lowers)
    return found or next((one for one in unseen if one is not None), None)


@record(eq=False)
class _Claim:
    """What an output may read of an input: `bad` gives what it must not."""

    name: str
    reads: Reads
    output: Value
    source: Value
    pairs: Relation
    bad: Bad


def _apart(judge: Judge, pair: Pair) -> _Claim:
    reads, only = judge.dependence.reads, (pair.allowed() or [NOTHING])[0]
    test = outside(pair.output, pair.input, only)
    return _Claim(name="independent", reads=reads, output=pair.output, source=pair.input, pairs=only, bad=test)


def _upper(judge: Judge, rule: Rule, kind: UpperKind) -> _Claim:
    if isinstance(kind, ReceptiveFieldRule):
        reads = judge.dependence.reads
        wide = _too_wide(rule)
        return _Claim(name=str(rule), reads=reads, output=rule.output, source=rule.input, pairs=NOTHING, bad=wide)
    dependence = kind.held_fixed(rule, judge.evidence) if isinstance(kind, IgnoresRule) else judge.dependence
    target = kind.target(rule, judge.evidence.terms)
    test = (inside if target.forbidden else outside)(rule.output, rule.input, target.pairs)
    return _Claim(
        name=str(rule), reads=dependence.reads, output=rule.output, source=rule.input, pairs=target.pairs, bad=test
    )


def _too_wide(rule: Rule) -> Bad:
    """All that an output position reads, if the first and the last of it are too far apart."""
    (axis,) = rule.axes[1]
    extents: dict[tuple[CellGrid, int], int] = {}

    def bad(wiring: Wiring, bit: int) -> int:
        grid, read = wiring.grid(rule.input), wiring.read(rule.output, 1 << bit, rule.input)
        # Worlds of one size read the same positions where no control restricts them.
        if (grid, read) not in extents:
            places = [grid.index(one)[axis] for one in bits_of(read)]
            extents[grid, read] = max(places) - min(places) + 1 if places else 0
        return read if extents[grid, read] > rule.most.value(wiring.world.sizes) else 0

    return bad


def _wrong(spec: Spec, claims: Sequence[_Claim], batches: tuple[int, ...], lengths: tuple[int, ...] = ()) -> str | None:
    """The first position that reads what it must not."""
    lengths = lengths or _lengths(spec, [claim.pairs for claim in claims])
    for reads in dict.fromkeys(claim.reads for claim in claims):
        own = [claim for claim in claims if claim.reads is reads]
        cells = Cells(spec.graph, reads, [(claim.output, claim.source, claim.pairs) for claim in own])
        for sizes in _sizes(spec, batches, lengths):
            for wiring in wirings(spec.graph, reads, cells, worlds(spec, reads, sizes)):
                for claim in own:
                    found = _pair(wiring, claim)
                    if found is not None:
                        return f"{claim.name}: {found}"
    return None


def _pair(wiring: Wiring, claim: _Claim) -> str | None:
    out, inp = wiring.grid(claim.output), wiring.grid(claim.source)
    for bit in range(out.total):
        wrong = claim.bad(wiring, bit)
        found = wrong and wiring.read(claim.output, 1 << bit, claim.source) & wrong
        if found:
            return f"{out.index(bit)} reads {inp.index(next(bits_of(found)))} at {dict(wiring.world.sizes)}"
    return None


def _unseen(spec: Spec, reads: Reads, rule: Rule, kind: LowerKind) -> str | None:
    """The first pair that a lower rule wants and that nothing reads, whatever bools are that no mask reads."""
    wanted = in_one_row(rule.output, rule.input, kind.wanted(rule, reads.terms))
    cells = Cells(spec.graph, reads, [(rule.output, rule.input, wanted)])

    def missed(sizes: Mapping[str, int], truth: int) -> Witness | None:
        tried = wirings(spec.graph, reads, cells, open_worlds(spec, reads, sizes, wanted, truth))
        unread = (first_unread(wiring, rule.output, rule.input, wanted, rule.axes) for wiring in tried)
        return next((found for found in unread if found), None)

    for sizes in _sizes(spec, (1,), _lengths(spec, [wanted])):
        if (found := missed(sizes, 1)) is not None and missed(sizes, 0) is not None:
            return f"{rule}: {found.i} does not read {found.j} at {sizes}"
    return None


def _lengths(spec: Spec, pairs: Sequence[Relation]) -> tuple[int, ...]:
    masks = [node.op.mask for node in spec.graph.walk() if isinstance(node.op, Attention)]
    windows = [_window(leaf) for mask in masks for leaf in leaves(mask)]
    beyond = max([*(reach(one) for one in pairs), *windows], default=0) + 2
    return (*LENGTHS, beyond) if LENGTHS[-1] < beyond < _LONGEST else LENGTHS


def _window(leaf: Mask) -> int:
    match leaf:
        case Last(count=size) | Within(distance=size):
            return size.maximum()
    return 0


def _sizes(spec: Spec, batches: tuple[int, ...], lengths: tuple[int, ...]) -> Iterator[dict[str, int]]:
    """Every choice of sizes: batches for dims that lead inputs, lengths for the others."""
    leading = {rule.dim for rule in independence(spec.graph)}
    choices = [
        sorted({_admitted(symbol, n) for n in (batches if name in leading else lengths)})
        for name, symbol in spec.dims.items()
    ]
    yield from (dict(zip(spec.dims, chosen, strict=True)) for chosen in product(*choices))


def _admitted(symbol: Symbol, wanted: int) -> int:
    steps = -(-max(wanted, symbol.min) // symbol.multiple)
    return min(steps * symbol.multiple, symbol.max)


def worlds(spec: Spec, reads: Reads, sizes: Mapping[str, int]) -> Iterator[World]:
    """All values of the inputs that masks read, which keep what they promise; of very many some by chance."""
    inputs = Inputs(spec.graph, spec.inputs, reads.terms)
    still, read = inputs.open(sizes), _read_by_masks(spec, reads)
    named = [value for value in inputs.values if value.name in read]
    shapes = [tuple(size.value(sizes) for size in value.type.space) for value in named]
    ranges = [_values(value, sizes) for value, shape in zip(named, shapes, strict=True) for _ in range(prod(shape))]
    if prod(len(one) for one in ranges) > MOST_WORLDS:
        r = random.Random(0)
        yield from (World(sizes, inputs.drawn(sizes, r)) for _ in range(MOST_WORLDS))
        return
    for chosen in product(*ranges):
        numbers = iter(chosen)
        tensors = [Tensor(shape, tuple(islice(numbers, prod(shape)))) for shape in shapes]
        found = {value.name: tensor for value, tensor in zip(named, tensors, strict=True)}
        if all(_kept(spec, name, tensor) for name, tensor in found.items()):
            yield World(sizes, {**still, **found})


def _read_by_masks(spec: Spec, reads: Reads) -> frozenset[str]:
    """The inputs that have a part in what is read."""
    for node in spec.graph.walk():
        if isinstance(node.op, Primitive):
            reads.of(node)
    return frozenset(leaf.text for term in reads.used() for leaf in term.leaves())


def _values(value: Value, sizes: Mapping[str, int]) -> range:
    """Both bools; numbers of three segments; as many positions as there are, where a number counts them."""
    if value.type.dtype is DType.BOOL:
        return range(2)
    return range(3) if value.type.rank > 1 else range(max(sizes.values()) + 1)


def _kept(spec: Spec, name: str, tensor: Tensor) -> bool:
    """Whether an input is as it promises to be."""
    given = spec.inputs[name]
    length = tensor.shape[-1] if tensor.shape else 1
    rows = [tensor.items[k : k + length] for k in range(0, len(tensor.items), length)]
    if given.type.dtype is not DType.BOOL:
        return not given.sorted or all(list(row) == sorted(row) for row in rows)
    if given.padding == "any":
        return True
    falling = given.padding == "right"
    return all(any(row) and list(row) == sorted(row, reverse=falling) for row in rows)
