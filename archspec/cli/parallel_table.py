"""The tables of `archspec parallel`, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from textwrap import wrap

import click

from archspec.analyses.memory import in_words
from archspec.analyses.sharding.collectives import Collective
from archspec.analyses.sharding.plan import ExpertModule, StoredParameter, Unsplit
from archspec.cli.output import grouped, scaled
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard
from archspec.parallel.proposal import Proposal

_PATH = 46


def show_proposal(found: Proposal) -> None:
    """Print a proposal as tables."""
    for part in (_head, _stacks, _experts, _parameters, _exchanged, _pipeline, _memory, _seeds, _unsplit):
        lines = list(part(found))
        if lines:
            click.echo("\n".join(lines))


def said(placement: Placement, ranks: int) -> str:
    """A placement in words: `axis 0 in 8 parts`."""
    match placement:
        case Shard(axis, copies):
            shared = f" x {copies}" if copies > 1 else ""
            return f"axis {axis} in {ranks // copies} parts{shared}"
        case Copied():
            return "whole, gradients summed"
        case Partial():
            return "whole, on the first rank"
        case Replicate():
            return "whole"


def _head(found: Proposal) -> Iterator[str]:
    share, tensor = found.share, found.tensor
    ranks = tensor * found.data * found.pipeline
    sizes = ", ".join(f"{name} {symbol.typical}" for name, symbol in found.spec.dims.items())
    product = f"{tensor} tensor x {found.data} data x {found.pipeline} pipeline"
    yield f"{found.spec.name} on {_count(ranks, 'rank')}: {product}"
    yield f"  at {sizes}, activations in {found.dtype}"
    stored, all_flops = found.stored, share.all_flops.typical()
    percent = f"{100 * stored / share.all_parameters:.1f}%" if share.all_parameters else "none"
    yield f"  parameters a rank: {grouped(stored)} of {grouped(share.all_parameters)} ({percent})"
    if all_flops:
        own, whole = share.flops.typical(), share.whole_flops.typical()
        flops = f"{scaled(own, 'FLOP')} of {scaled(all_flops, 'FLOP')} ({100 * own / all_flops:.1f}%)"
        yield f"  forward pass on a tensor rank: {flops}; not split: {100 * whole / all_flops:.1f}% of the FLOP"


def _stacks(found: Proposal) -> Iterator[str]:
    """Where the length is cut, and what keeps it from that elsewhere."""
    ranks = found.tensor
    for stack in found.model.plan.stacks:
        if stack.reason is None:
            known = "" if stack.length.constant is not None else f", which {ranks} must divide"
            yield f"  {stack.path}: norms and residuals on 1/{ranks} of `{stack.length}`{known}"
        else:
            line = f" (line {stack.span.line})" if stack.span is not None else ""
            yield f"  {stack.path}: `{stack.length}` is not cut: {stack.reason}{line}"


def _experts(found: Proposal) -> Iterator[str]:
    """Where ranks have whole experts, and what keeps them from that elsewhere."""
    # Layers that are used again have modules of one path and one size.
    yield from dict.fromkeys(_of_experts(one, found.tensor) for part in found.parts for one in part.plan.experts)


def _of_experts(one: ExpertModule, ranks: int) -> str:
    if one.reason is None:
        number = _count(one.count // ranks, "whole expert")
        return f"  {one.path}: {number} of {one.count} on each rank; FLOP as if each were chosen as often"
    line = f" (line {one.span.line})" if one.span is not None else ""
    return f"  {one.path}: no whole experts: {one.reason}{line}"


def _parameters(found: Proposal) -> Iterator[str]:
    """The tables and matrices by name, and all others in one line a placement."""
    ranks = found.tensor
    if ranks == 1:
        return
    yield ""
    yield f"{'parameter':{_PATH}} {'shape':>16}  {'on each tensor rank':24} {'elements':>9}"
    cut: dict[tuple[str, str, str], list[StoredParameter]] = {}
    small: dict[str, list[StoredParameter]] = {}
    for stored in found.parameters:
        words, shape = said(stored.placement, ranks), "x".join(map(str, stored.parameter.type.shape))
        if isinstance(stored.placement, Shard) and stored.parameter.type.rank > 1:
            cut.setdefault((_starred(stored.parameter.path), shape, words), []).append(stored)
        else:
            small.setdefault(words, []).append(stored)
    for (path, shape, words), members in cut.items():
        yield f"{_cut(path, _PATH):{_PATH}} {shape:>16}  {words:24} {_elements(members):>9}"
    for words, members in small.items():
        named = _few([_last(one) for one in members])
        yield f"{_cut(named, _PATH + 17):{_PATH + 17}}  {words:24} {_elements(members):>9}"


def _elements(members: Sequence[StoredParameter]) -> str:
    return scaled(sum(one.group.count * one.rank_elements for one in members), "").strip()


def _starred(path: str) -> str:
    """A path with `*` for every number, so that layers with modules of their own share a line."""
    return ".".join("*" if part.isdecimal() else part for part in path.split("."))


def _exchanged(found: Proposal) -> Iterator[str]:
    """What is exchanged, and where."""
    if not found.exchanged:
        return
    yield ""
    title = "exchanged in a step" if found.staged is None else "exchanged in a step, all stages"
    yield f"{title:{_PATH}} {'kind':14} {'pass':8} {'ranks':>5} {'times':>5} {'a rank gives':>13}"
    for (where, kind, phase, ranks), members in _merged(found.exchanged).items():
        times = sum(one.times for one in members)
        size = in_words(sum(map(found.bytes, members)))
        yield f"{_cut(where or 'the model', _PATH):{_PATH}} {kind:14} {phase:8} {ranks:>5} {times:>5} {size:>13}"
    for phase in ("forward", "backward"):
        own = [one for one in found.exchanged if one.phase == phase]
        total = in_words(sum(map(found.bytes, own)))
        yield f"{'all, ' + phase:{_PATH}} {'':14} {'':8} {'':>5} {sum(one.times for one in own):>5} {total:>13}"
    again = [replace(one, times=one.again) for one in found.exchanged]
    if times := sum(one.times for one in again):
        total = in_words(sum(map(found.bytes, again)))
        yield f"{'again, if layers are computed again':{_PATH}} {'':14} {'backward':8} {'':>5} {times:>5} {total:>13}"


def _merged(exchanged: Iterable[Collective]) -> Mapping[tuple[str, str, str, int], list[Collective]]:
    """Exchanges with those of equal places together: several kinds of layers, several gradients of one module."""
    found: dict[tuple[str, str, str, int], list[Collective]] = {}
    for one in exchanged:
        found.setdefault((_starred(one.where), one.kind, one.phase, one.ranks), []).append(one)
    return found


def _pipeline(found: Proposal) -> Iterator[str]:
    """The stages, what they send, and the parameters that several of them hold."""
    if found.staged is None:
        return
    yield ""
    yield f"{'stage':6} {'from':30} {'to':30} {'FLOP':>9} {'sends':>12}"
    for number, stage in enumerate(found.staged.parts):
        sends = found.staged.sends(number)
        first, last = (_cut(unit.path, 30) for unit in (stage.units[0], stage.units[-1]))
        size = in_words(found.sent(sends)) if sends else ""
        yield f"{number:<6} {first:30} {last:30} {scaled(stage.flops, ''):>9} {size:>12}"
    shared: dict[tuple[str, tuple[int, ...]], int] = {}
    for name, holders in found.staged.tied.items():
        # All parameters of layers that are shared are on the same stages.
        head, star, _ = _starred(name).partition(".*.")
        key = f"{head}.*" if star else name, tuple(holders)
        shared[key] = shared.get(key, 0) + found.tied_bytes(name)
    for (name, numbers), total in shared.items():
        stages = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
        yield f"gradients of {_cut(name, _PATH)} are summed over stages {stages}: {in_words(total)} each way"


def _memory(found: Proposal) -> Iterator[str]:
    yield ""
    memory = found.memory
    yield "memory of a rank"
    rows = [
        ("weights, gradients, AdamW (16 bytes a parameter)", memory["training_state"]),
        ("gathered at once by fully_shard, with gradients", memory["gathered"]),
        ("kept for the backward pass", memory["activations"]),
        ("the same, layers computed again", memory["activations_checkpointed"]),
        ("in training, layers computed again", found.total),
    ]
    if found.cache is not None:
        rows.append(("cache of one row of maximum length", found.cache[1]))
    for words, size in rows:
        yield f"  {words:50} {in_words(size):>10}"


def _seeds(found: Proposal) -> Iterator[str]:
    """Which ranks drop alike in training."""
    tensor, groups = found.tensor, found.data * found.pipeline
    if not found.draws or tensor * groups == 1:
        return
    alike = f"the same on the {tensor} tensor ranks{' of a group' if groups > 1 else ''}" if tensor > 1 else ""
    other = f"another on each {'group' if tensor > 1 else 'rank'}" if groups > 1 else ""
    yield ""
    yield f"dropout needs seeds (torch.manual_seed): {', '.join(one for one in (alike, other) if one)}"


def _unsplit(found: Proposal) -> Iterator[str]:
    """What is not split, with its share, the line of the spec and the reason."""
    if found.tensor == 1 or not found.unsplit:
        return
    total = found.share.all_flops.typical()
    yield ""
    yield f"{'not split':38} {'FLOP':>6} {'weights':>8}  why"
    for path, members in _by_path(found.unsplit).items():
        share = sum(one.flops.typical() for one in members)
        elements = sum(one.elements for one in members)
        percent = f"{100 * share / total:.1f}%" if total and share else ""
        weights = scaled(elements, "") if elements else ""
        line = f" (line {members[0].cause.line})" if members[0].cause is not None else ""
        # The type is in the JSON, and so are the reasons of other layers.
        reason = members[0].reason.partition(" (axis")[0]
        alike = [one for one in members if one.reason.partition(" (axis")[0] == reason]
        helps = dict.fromkeys(one.help for one in alike if one.help)
        others = [f"{len(members) - len(alike)} for other reasons (--json)"] if len(alike) < len(members) else []
        texts = (f"{reason}{line}", *helps, *others)
        first, *more = [part for one in texts for part in wrap(one, 44, break_long_words=False)]
        yield f"{_cut(path, 38):38} {percent:>6} {weights:>8}  {first}"
        yield from (f"{'':56}{one}" for one in more)


def _by_path(found: Sequence[Unsplit]) -> Mapping[str, list[Unsplit]]:
    groups: dict[str, list[Unsplit]] = {}
    for one in found:
        groups.setdefault(_starred(one.path), []).append(one)
    return groups


def _last(stored: StoredParameter) -> str:
    return ".".join(stored.parameter.path.split(".")[-2:])


def _few(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:3]) + (f" and {len(distinct) - 3} more" if len(distinct) > 3 else "")


def _cut(text: str, width: int) -> str:
    """A text with its middle left out where it is too long."""
    return text if len(text) <= width else f"{text[: width // 2 - 1]}...{text[len(text) - (width - width // 2 - 2) :]}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
