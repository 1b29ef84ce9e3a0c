"""Build a bundle on disk from a spec."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from archspec.bundle.bundle import Bundle
from archspec.bundle.expected import Expected, kept
from archspec.bundle.genai import check_genai
from archspec.bundle.manifest import WeightsEntry
from archspec.bundle.quantising import Quantisation
from archspec.bundle.rank_work import check_split
from archspec.bundle.read import open as open_bundle
from archspec.bundle.sizing import sized
from archspec.bundle.sources import texts_of
from archspec.bundle.staging import staging
from archspec.bundle.triton import Layout, check_served
from archspec.bundle.weights import Weights, put_weights
from archspec.bundle.wishes import check_suited, quantising_of, read_wish
from archspec.bundle.work import Work
from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import Collector, fail
from archspec.engines.engine import Target
from archspec.engines.process import Progress, Stage, forked_steps
from archspec.engines.profiles import Profile, read_profiles
from archspec.engines.registry import check_profiles, read_dtype, read_targets
from archspec.lower.rank_programs import RankPlan, rank_plan
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.spec.files import is_file, is_there

LARGEST_SEED = 2**63 - 1
"""The largest signed 64-bit integer, which torch and NumPy both accept."""
LOADED = (
    "torch._dynamo",
    "torch.onnx",
    "onnxscript.function_libs.torch_lib.ops",
    "archspec.engines.worker",
    "archspec.bundle.worker",
)
"""What nearly every step of a build imports."""
# No separators of paths, no hidden files, and nothing that a command could take for an option.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ +-]*")


def build(
    spec: SpecSource,
    out: str | Path,
    *,
    weights: Weights = None,
    targets: Sequence[str] = ("onnx",),
    dtype: str = "float32",
    weights_layout: str | None = None,
    layout: Layout = "bundle",
    files: Sequence[str | Path] = (),
    profiles: Sequence[str] = (),
    tensor: int | None = None,
    seed: int = 0,
    cache: bool = True,
    benchmark: bool = False,
    unproved: bool = False,
    expect: Expected = None,
    quantise: str | Sequence[str] | Quantisation = (),
    progress: Progress | None = None,
) -> Bundle:
    """Build a bundle: the spec, the emitted module, weights, an artifact for each target, and a report of parity.

    Args:
        spec: a loaded spec, a file, the name of a shipped one, or one that was accepted before.
        out: the folder to write. An existing bundle there is replaced as a whole, once the new one is complete.
        weights: a safetensors or GGUF file, a folder, tensors by name, or None for ones initialised under `seed`.
        targets: `onnx`, `openvino`, `inductor`, `tensorrt-rtx:sm86,sm89` (`sm86+sm89` is one engine for both).
        dtype: `float32`, `float16` or `bfloat16`: the precision of the artifacts.
        weights_layout: which of the spec's weight layouts the checkpoint has; without it, the one that fits.
        layout: `triton` makes a model repository of Triton Inference Server, `genai` a folder for ONNX Runtime GenAI.
        files: files to copy into the bundle, such as a tokenizer's.
        profiles: sizes that engines are built for, `batch=1,tokens=1:64:128` each; without any, all declared sizes.
        tensor: the number of tensor ranks over which the model is split, with an engine each; None for whole artifacts.
        cache: reuse artifacts built before from the same parts by the same tools, and store what is built.
        benchmark: time every artifact that this host can run, at typical sizes: `run` then prefers the fastest.
        unproved: build although something in the spec does not hold; the manifest lists it, and `run` repeats it.
        quantise: formats of weights as integers: `int8`, `NODE=int4:32`, `stored`; or a `Quantisation` with more.
        expect: an .npz file, or arrays by name: inputs and outputs of the original, to which given weights are held.
        progress: called with each step's name and the share of it that is done (None: not known).

    Returns the bundle, opened. Raises SpecError for what cannot be built so, a failed step, or results that differ.
    """
    checked, wanted = accepted(spec, unproved=unproved), read_targets(_listed(targets), dtype)
    _check_options(layout, seed, weights_layout if weights is None else None, weights is None and expect is not None)
    quantising = quantising_of(checked, read_wish(quantise), weights, weights_layout)
    check_suited(quantising, tensor, layout, wanted, read_dtype(dtype))
    ranges, split = _ranges(_listed(profiles), checked, wanted), _split(checked, wanted, tensor, layout, benchmark)
    carried = _carried(_listed(files), layout, checked, wanted, read_dtype(dtype))
    told = progress or _silent
    make = partial(Work, dtype=read_dtype(dtype), profiles=ranges, layout=layout, cache=cache, split=split)
    with kept(expect, checked.spec) as reference, staging(Path(out)) as folder, forked_steps(folder, *LOADED):
        quantising = sized(quantising, folder, ranges, weights, weights_layout, seed, told)
        made = checked if quantising is None else accepted(quantising.rounded(quantising.plan), unproved=unproved)
        make = partial(make, folder=folder, checked=made, progress=told, benchmark=benchmark)
        work = make(reference=reference, quantising=quantising)
        work.finish(wanted, carried, *_begun(work, weights, weights_layout, seed))
    return open_bundle(out)


def _begun(work: Work, weights: Weights, layout: str | None, seed: int) -> tuple[WeightsEntry, tuple[Stage, ...]]:
    """Write what all artifacts are built from. Returns the manifest's entry for the weights, and the measured steps."""
    work.write(texts_of(work.checked))
    if work.quantising is not None:
        return work.quantising.begin(work.folder, work.program, weights, layout, seed, work.progress)
    return put_weights(work.folder, work.checked, work.program, weights, layout, seed, work.progress)


def _listed(given: Any) -> Sequence[Any]:
    """What is given as a sequence, or the one text or path in a list.

    One text is a sequence of texts to Python, and would be read character by character.
    """
    return [given] if isinstance(given, (str, Path)) else given


def _check_options(layout: str, seed: object, unused: str | None, is_untold: bool) -> None:
    """Check the options that no later step checks.

    `unused` is the name of a weights layout without weights, `is_untold` says that there is a reference without them.
    Raises SpecError E520 and E641 for these, ValueError for a layout of the bundle that does not exist and for an
    impossible seed, as Python does for arguments: the command line refuses both itself.
    """
    if is_untold:
        fail("E641", "a reference of the original is given without weights", None, help="give the weights too")
    if unused is not None:
        fail("E520", f"the weights layout `{unused}` is given without weights", None, help="give the weights too")
    if layout not in get_args(Layout):
        raise ValueError(f"`layout` must be one of {', '.join(get_args(Layout))}, got {layout!r}")
    # To Python, `True` is a whole number as well.
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"`seed` must be a whole number from 0 to {LARGEST_SEED}, got {seed!r}")


def _split(
    checked: Checked, targets: Sequence[Target], ranks: int | None, layout: Layout, benchmark: bool
) -> RankPlan | None:
    """How the model is split over tensor ranks. Raises SpecError E628, and E900 and E921 as `rank_plan` does."""
    if ranks is None:
        return None
    if not isinstance(ranks, int) or isinstance(ranks, bool) or ranks < 2:
        raise ValueError(f"`tensor` must be a whole number from 2, got {ranks!r}")
    check_split(targets, layout, benchmark=benchmark)
    return rank_plan(checked.spec, ranks)


def _carried(
    given: Sequence[str | Path], layout: Layout, checked: Checked, targets: Sequence[Target], dtype: DTypeName
) -> tuple[Path, ...]:
    """The files to copy, after a check that the layout can have these targets, this spec and these files."""
    carried = check_carried(given)
    if layout == "triton":
        check_served(targets)
    if layout == "genai":
        check_genai(checked, dtype, carried)
    return carried


def _ranges(profiles: Sequence[str], checked: Checked, targets: Sequence[Target]) -> tuple[Profile, ...]:
    """Read the profiles and check them against the targets."""
    ranges = read_profiles(profiles, tuple(checked.spec.dims.values()))
    check_profiles(targets, len(ranges))
    return ranges


def check_carried(given: Sequence[str | Path]) -> tuple[Path, ...]:
    """Return the files to copy into the bundle.

    Raises SpecError with an E721 for each that is not a file, or has an invalid or duplicate name.
    """
    files = tuple(map(Path, given))
    found = Collector()
    names: set[str] = set()
    for file in files:
        if not is_file(file):
            reason = "not a regular file" if is_there(file) else "file not found"
            found.error("E721", f"{reason}: {file}", None)
        elif file.name in names:
            # Carried files lie in one folder, whatever folders they come from.
            found.error("E721", f"duplicate file name `{file.name}`", None, help="rename one")
        elif not _FILE_NAME.fullmatch(file.name):
            found.error("E721", f"`{file.name}` is not a valid name for a file of a bundle", None, help="rename it")
        names.add(file.name)
    found.raise_if_errors()
    return files


def _silent(stage: str, fraction: float | None) -> None:
    pass
