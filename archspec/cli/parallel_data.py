"""The JSON of `archspec parallel`."""

from __future__ import annotations

from archspec.analyses.sharding.collectives import Collective
from archspec.analyses.sharding.plan import Conversion, ExpertModule, LengthStack, StoredParameter, Unsplit
from archspec.ir.placement import Placement, Shard
from archspec.parallel.proposal import Proposal


def proposal_data(found: Proposal) -> dict[str, object]:
    """A proposal as JSON-compatible data; bytes and FLOPs are those at the typical dims."""
    share = found.share
    return {
        "name": found.spec.name,
        "sizes": {name: symbol.typical for name, symbol in found.spec.dims.items()},
        "ranks": {"tensor": found.tensor, "data": found.data, "pipeline": found.pipeline},
        "dtype": found.dtype,
        "elements": {"rank": found.stored, "model": share.all_parameters},
        "flops": {
            "tensor_rank": share.flops.typical(),
            "model": share.all_flops.typical(),
            "not_split": share.whole_flops.typical(),
        },
        "memory": {
            **found.memory,
            "training": found.total,
            "cache_row": None if found.cache is None else found.cache[1],
        },
        "dropout": found.draws,
        "parameters": [_parameter(one) for one in found.parameters],
        "conversions": [_conversion(one) for one in found.conversions],
        "collectives": [_collective(found, one) for one in found.exchanged],
        **_pipeline(found),
        "not_split": [_unsplit(one) for one in found.unsplit],
        "sequence": [_stack(one) for one in found.model.plan.stacks],
        "experts": [_experts(one) for one in dict.fromkeys(one for part in found.parts for one in part.plan.experts)],
    }


def _placement(placement: Placement) -> dict[str, object]:
    kind = type(placement).__name__.lower()
    return (
        {"kind": kind, "axis": placement.axis, "copies": placement.copies}
        if isinstance(placement, Shard)
        else {"kind": kind}
    )


def _parameter(stored: StoredParameter) -> dict[str, object]:
    return {
        "path": stored.parameter.path,
        "count": stored.group.count,
        "shape": [str(size) for size in stored.parameter.type.shape],
        "placement": _placement(stored.placement),
        "elements": stored.group.elements,
        "rank_elements": stored.rank_elements,
    }


def _conversion(one: Conversion) -> dict[str, object]:
    return {
        "module": one.at.module,
        "side": one.at.side,
        "number": one.at.number,
        "name": one.at.name or None,
        "from": _placement(one.source),
        "to": _placement(one.target),
        "runs": [{"type": str(run.type), "times": run.times, "again": run.again} for run in one.runs],
        "has_gradient": one.has_gradient,
        "line": None if one.span is None else one.span.line,
    }


def _collective(found: Proposal, one: Collective) -> dict[str, object]:
    return {
        "where": one.where,
        "kind": one.kind,
        "phase": one.phase,
        "ranks": one.ranks,
        "times": one.times,
        "again": one.again,
        "elements": str(one.elements),
        "bytes": found.bytes(one),
    }


def _pipeline(found: Proposal) -> dict[str, object]:
    """The stages, and the parameters that several of them hold."""
    if found.staged is None:
        return {"stages": [], "tied": []}
    stages = [
        {
            "units": [unit.path for unit in stage.units],
            "flops": stage.flops,
            "sends": [str(type_) for type_ in found.staged.sends(number)],
            "sends_bytes": found.sent(found.staged.sends(number)),
        }
        for number, stage in enumerate(found.staged.parts)
    ]
    tied = [
        {"parameter": name, "stages": holders, "bytes": found.tied_bytes(name)}
        for name, holders in found.staged.tied.items()
    ]
    return {"stages": stages, "tied": tied}


def _stack(one: LengthStack) -> dict[str, object]:
    return {
        "layers": one.path,
        "length": str(one.length),
        "cut": one.reason is None,
        "reason": one.reason,
        "line": None if one.span is None else one.span.line,
    }


def _experts(one: ExpertModule) -> dict[str, object]:
    return {
        "module": one.path,
        "count": one.count,
        "whole": one.reason is None,
        "reason": one.reason,
        "line": None if one.span is None else one.span.line,
    }


def _unsplit(one: Unsplit) -> dict[str, object]:
    line = None if one.span is None else one.span.line
    flops = one.flops.typical()
    return {
        "path": one.path,
        "line": line,
        "flops": flops,
        "elements": one.elements,
        "reason": one.reason,
        "cause_line": None if one.cause is None else one.cause.line,
        "help": one.help,
    }
