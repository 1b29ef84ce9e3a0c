"""The emitted modules against Hugging Face eager (sdpa) on the same weights: alternating runs, same threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from peers import PEERS, Peer
from row import Row, spread

BLOCKS, RUNS = 3, 15


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Our module and the peer, ready to run, and the largest difference of their outputs."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: float


def forward_rows() -> list[Row]:
    """For each model the median over blocks of the ratio of medians, and the peer's ratio to itself beside it."""
    import torch

    with torch.inference_mode():
        return [compare(pair(make())) for make in PEERS]


def compare(pair: Pair) -> Row:
    """Three blocks of alternating runs: ours, theirs, theirs again."""
    ratios, selves = [], []
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(BLOCKS):
        timed(pair.ours), timed(pair.theirs)
        runs = [(timed(pair.ours), timed(pair.theirs), timed(pair.theirs)) for _ in range(RUNS)]
        a, b, c = (list(column) for column in zip(*runs, strict=True))
        ratios.append(median(a) / median(b))
        selves.append(median(b) / median(c))
        ours, theirs = ours + a, theirs + b
    return Row(
        what=f"{pair.name} forward / Hugging Face eager (sdpa)",
        value=median(ratios),
        unit="x",
        bound=1.05,
        detail=f"blocks {', '.join(f'{r:.3f}' for r in ratios)}; theirs to itself {median(selves):.3f}; "
        f"ours {spread(ours)}, theirs {spread(theirs)}; largest difference {pair.difference:.1e}",
    )


def timed(run: Callable[[], Any]) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def reader(weights: Iterable[Any]) -> Callable[[], Any]:
    """A sum of all weights, which stand in one piece of memory: it reads as fast as torch can read on this machine."""
    import torch

    together = torch.cat([one.detach().flatten() for one in weights])
    return together.sum


def emitted(spec: str, peer: Any) -> Any:
    """Our module with the peer's weights."""
    import torch

    import archspec
    from archspec.weights import load

    module = archspec.compile(spec)
    tensors = {name: tensor.detach().contiguous() for name, tensor in peer.state_dict().items()}
    module.load_state_dict(load(archspec.load(spec), tensors))
    torch.manual_seed(0)
    return module.eval()


def pair(peer: Peer) -> Pair:
    """The peer and our module on the same input."""
    module = emitted(peer.spec, peer.model)
    given = tuple(peer.ours.values())
    found = module(*given)
    mine = getattr(found, peer.output, found)
    difference = (mine - peer.model(**peer.theirs)[0]).abs().max().item()
    return Pair(
        name=peer.name,
        ours=lambda: module(*given),
        theirs=lambda: peer.model(**peer.theirs),
        difference=difference,
    )
