"""Comparison of a TensorRT network with the interpreter, with other parameters in both."""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from archspec.analyses.cost import cost
from archspec.contract.fill import LARGE
from archspec.contract.lowered import FLOAT32, NetworkRunner, RanksRunner
from archspec.contract.parity import parity
from archspec.contract.protocol import Precision, Subject
from archspec.contract.report import Finding
from archspec.contract.sizes import probe
from archspec.engines.network.parameters import with_parameters
from archspec.engines.network.plan import NetworkPlan
from archspec.ir.graph import Graph
from archspec.model.runner import Array
from archspec.spec.claims import Claims

# Standard deviations of the matrices that are drawn.
DEVIATIONS = {"large": LARGE, "small": 1e-2, "tiny": 1e-3}
WIDTH = 32
"""Sums of at most this many terms use the largest draw; longer sums would grow until rounding is visible."""
REDRAWN = Precision(parity=FLOAT32.exact, exact=FLOAT32.exact, least=1e-3)
"""Tolerances relative to the largest output, which may be tiny."""
# Networks with more parameters are not compared again.
MOST_PARAMETERS = 20_000_000
_DRAWN = {"linear", "embedding", "convolution", "experts"}
"""Operations whose matrices are redrawn, because nothing else reads these matrices."""


Parts = Callable[[Mapping[str, Array]], Sequence[Mapping[str, Array]]]
"""Gives the parameters of each rank, of those of the whole."""


def _one(parameters: Mapping[str, Array]) -> list[Mapping[str, Array]]:
    """Those of a network that is whole."""
    return [parameters]


def parity_redrawn(
    plans: Sequence[NetworkPlan], claims: Claims, parameters: Mapping[str, Array], seed: int, parts: Parts = _one
) -> Iterator[Finding]:
    """Compare in float64, with large, small and tiny matrices in turn.

    With the weights of a bundle alone an error may stay hidden: fresh ones are too small for a cap to have an effect,
    and too large for the eps of a norm to have one. Only matrices that the network holds unmodified are replaced.

    Args:
        plans: the network, or those of all ranks.
        claims: claims of a spec with a graph.
        parameters: the parameters of the whole by the names of the spec.
        seed: seed of the matrices and the inputs.
        parts: what each network has of parameters.

    Returns:
        one finding for each entry of `DEVIATIONS`; `not measured` if there are too many parameters or no matrix can be
        replaced.
    """
    assert claims.spec is not None
    if cost(claims.spec.graph).parameters > MOST_PARAMETERS:
        detail = "too many parameters to redraw"
        for word in DEVIATIONS:
            yield Finding(claim=_claim(word), status="not measured", detail=detail)
        return
    known = {name: parameters[name] for name in matrices(claims.spec.graph, parameters)}
    for word, deviation in DEVIATIONS.items():
        # The same draws at each deviation, which then differ in scale alone.
        generator = np.random.default_rng(seed)
        others = {name: drawn(array.shape, deviation, generator) for name, array in known.items()}
        changed, found = _with_parts(plans, parts, parameters, others)
        if not found:
            detail = "the network contains no unmodified matrix"
            yield Finding(claim=_claim(word), status="not measured", detail=detail)
            continue
        runner = NetworkRunner(changed[0], "exact") if len(changed) == 1 else RanksRunner(changed, "exact")
        subject = Subject(name="network", runner=runner, exact=runner, precision=REDRAWN)
        # The interpreter gets only the matrices that the network has taken over.
        both = ChainMap({name: others[name] for name in found}, dict(parameters))
        made = parity(claims, claims.spec, subject, both, probe(claims), seed)
        yield replace(made, claim=_claim(word))


def _with_parts(
    plans: Sequence[NetworkPlan], parts: Parts, known: Mapping[str, Array], others: Mapping[str, Array]
) -> tuple[list[NetworkPlan], frozenset[str]]:
    """The networks with other parameters, and which were replaced: those that every network holds unmodified."""
    pairs = list(zip(plans, parts(known), strict=True))
    each = [with_parameters(plan, own, new)[1] for (plan, own), new in zip(pairs, parts(others), strict=True)]
    found = frozenset.intersection(*each)
    kept = parts({name: array for name, array in others.items() if name in found})
    return [with_parameters(plan, own, new)[0] for (plan, own), new in zip(pairs, kept, strict=True)], found


def drawn(shape: tuple[int, ...], deviation: float, generator: np.random.Generator) -> Array:
    """A float32 matrix [out, in...] from a normal distribution.

    The standard deviation is `deviation`, limited so that sums over the inputs vary no more than sums of `WIDTH`
    numbers with the deviation `LARGE`.
    """
    widest = LARGE * (WIDTH / max(WIDTH, math.prod(shape[1:]))) ** 0.5
    made: Array = (min(deviation, widest) * generator.standard_normal(shape)).astype(np.float32)
    return made


def _claim(word: str) -> str:
    return f"equal to the interpreter at {word} parameters"


def matrices(graph: Graph, parameters: Mapping[str, Array]) -> tuple[str, ...]:
    """Names of the parameters with two or more axes that only the operations of `_DRAWN` read.

    Args:
        graph: the graph that reads them; `*` in its parameter paths stands for a layer number.
        parameters: parameters by name.
    """
    reads = [(one.path, node.op.name in _DRAWN) for node in graph.walk() for one in node.parameters.values()]
    others = {path for path, is_drawn in reads if not is_drawn}
    patterns = [
        re.compile(re.escape(path).replace(r"\*", r"\d+")) for path in sorted({path for path, _ in reads} - others)
    ]
    return tuple(
        name
        for name, array in parameters.items()
        if array.ndim > 1 and any(pattern.fullmatch(name) for pattern in patterns)
    )
