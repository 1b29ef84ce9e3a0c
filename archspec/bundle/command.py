"""The command that rebuilds the same artifacts from a bundle alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from archspec.bundle.sources import SPEC, WEIGHTS
from archspec.bundle.triton import Layout
from archspec.engines.engine import Target
from archspec.engines.profiles import Profile
from archspec.model.ports import DTypeName

REBUILT = "../rebuilt"


def rebuilding(
    targets: Sequence[Target],
    dtype: DTypeName,
    profiles: Sequence[Profile],
    layout: Layout,
    carried: Sequence[Path],
    reference: Path | None = None,
    ranks: int | None = None,
    plan: str | None = None,
) -> str:
    """Return the command, to be run inside the bundle's folder; `carried` are files relative to it.

    `reference` is the one of them that the weights were held to, `ranks` the number of tensor ranks, `plan` the file
    that says which weights are integers: these are not rounded again, and not held to what they were rounded from.

    The bundle's spec is resolved and its weights have the module's names, so nothing else is needed. With the versions
    of the manifest, and on the same machine, ONNX files and engines of TensorRT are reproduced byte for byte.
    """
    held = [] if reference is None or plan is not None else ["--expect", reference.as_posix()]
    split = [] if ranks is None else ["--tensor", str(ranks)]
    stored = [] if plan is None else ["--quantise", plan]
    return shlex.join([*_words(targets, dtype, profiles, layout, carried), *held, *split, *stored])


def _words(
    targets: Sequence[Target], dtype: DTypeName, profiles: Sequence[Profile], layout: Layout, carried: Sequence[Path]
) -> Iterator[str]:
    """Yield the arguments of the command; the default layout is not written."""
    yield from ("archspec", "build", SPEC, "--weights", WEIGHTS, "--output", REBUILT)
    for target in targets:
        yield from ("--target", str(target))
    yield from ("--dtype", dtype)
    for profile in filter(None, profiles):
        ranges = (f"{name}={':'.join(map(str, sizes))}" for name, sizes in profile.items())
        yield from ("--profile", ",".join(ranges))
    if layout != "bundle":
        yield from ("--layout", layout)
    for file in carried:
        yield from ("--file", file.as_posix())
