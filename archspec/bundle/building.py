"""Build a bundle on disk from a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from archspec.bundle.bundle import Bundle
from archspec.bundle.bundled_spec import read_formats
from archspec.bundle.evaluating import read_limits
from archspec.bundle.expected import Expected, kept
from archspec.bundle.genai import check_genai
from archspec.bundle.manifest import WeightsEntry
from archspec.bundle.quantising import Quantisation, Quantising
from archspec.bundle.rank_work import check_split
from archspec.bundle.read import open as open_bundle
from archspec.bundle.sizing import sized
from archspec.bundle.sources import texts_of
from archspec.bundle.staging import staging
from archspec.bundle.triton import Layout, check_served
from archspec.bundle.weights import Weights, put_weights
from archspec.bundle.work import Work
from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import Collector, fail
from archspec.engines.engine import Target
from archspec.engines.process import Progress, Stage, forked_steps
from archspec.engines.profiles import Profile, read_profiles
from archspec.engines.registry import check_profiles, read_dtype, read_targets
from archspec.ir.graph import Graph
from archspec.lower.rank_programs import RankPlan, rank_plan
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.quantising.formats import STORED
from archspec.quantising.given import GivenIntegers, given_integers
from archspec.quantising.plan import Plan, free_paths, plan_of, planned, read_wishes
from archspec.quantising.spec import quantised
from archspec.spec import Spec
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
    quantising = _suited(_quantising(checked, quantise, weights, weights_layout), tensor, layout)
    ranges, split = _ranges(_listed(profiles), checked, wanted), _split(checked, wanted, tensor, layout, benchmark)
    carried = _carried(_listed(files), layout, checked, wanted, read_dtype(dtype))
    make = partial(Work, profiles=ranges, layout=layout, cache=cache, benchmark=benchmark, split=split)
    with kept(expect, checked.spec) as reference, staging(Path(out)) as folder, forked_steps(folder, *LOADED):
        quantising = sized(quantising, folder, ranges, weights, weights_layout, seed, progress or _silent)
        work = make(
            folder=folder,
            checked=checked if quantising is None else accepted(_stored(quantising), unproved=unproved),
            dtype=read_dtype(dtype),
            progress=progress or _silent,
            reference=reference,
            quantising=quantising,
        )
        work.finish(wanted, carried, *_begun(work, weights, weights_layout, seed))
    return open_bundle(out)


def _begun(work: Work, weights: Weights, layout: str | None, seed: int) -> tuple[WeightsEntry, tuple[Stage, ...]]:
    """Write what all artifacts are built from. Returns the manifest's entry for the weights, and the measured steps."""
    work.write(texts_of(work.checked))
    if work.quantising is not None:
        return work.quantising.begin(work.folder, work.program, weights, layout, seed, work.progress)
    return put_weights(work.folder, work.checked, work.program, weights, layout, seed, work.progress)


def _quantising(
    checked: Checked, given: str | Sequence[str] | Quantisation, weights: Weights, weights_layout: str | None
) -> Quantising | None:
    """What is stored as integers; None for floats.

    Raises SpecError E630 to E635, E703 for a file of inputs, and those of `given_integers`.
    """
    wish = given if isinstance(given, Quantisation) else Quantisation(formats=tuple(_listed(given)))
    if not wish.formats:
        if wish != Quantisation():
            fail("E632", f"{wish.unused} is given without a format", None, help="give `--quantise int8` too")
        return None
    limits = read_limits(wish.at_most)
    if wish.evaluate is None and limits:
        fail("E632", "a limit of the loss is given without inputs to measure it on", None, help="give `--evaluate`")
    if wish.evaluate is not None and not is_file(wish.evaluate):
        fail("E703", f"cannot read {wish.evaluate}", None, notes=["no such file"])
    if wish.round_inputs and wish.evaluate is None:
        message = "inputs are to be rounded without any to measure on what that costs"
        fail("E632", message, None, help="give `--evaluate`")
    if wish.size is not None and wish.evaluate is None:
        message = "a size is given without inputs to measure on which weights cost most"
        fail("E632", message, None, help="give `--evaluate`")
    found = _given(checked, wish, weights, weights_layout)
    plan = _plan(checked.spec.graph, wish, found)
    wishes = () if _is_file(wish) else read_wishes(wish.formats, wish.keep)
    return Quantising(
        floats=checked,
        plan=plan,
        given=found,
        data=wish.evaluate,
        at_most=limits,
        round_inputs=wish.round_inputs,
        size=wish.size,
        free=free_paths({path: one for path, one in plan.items() if path not in found}, wishes),
    )


def _suited(quantising: Quantising | None, ranks: int | None, layout: Layout) -> Quantising | None:
    """What is stored as integers, once it is checked. Raises SpecError E632 for what is written from floats alone."""
    if quantising is not None and (ranks is not None or layout == "genai"):
        what = "the layout `genai`" if ranks is None else "`--tensor`"
        fail("E632", f"quantised weights cannot be combined with {what}", None, help="leave one of the two out")
    return quantising


def _given(
    checked: Checked, wish: Quantisation, weights: Weights, weights_layout: str | None
) -> Mapping[str, GivenIntegers]:
    """The integers that the weights are in their file, if these are to be kept."""
    if not any(format.rpartition("=")[2] == STORED for format in wish.formats):
        return {}
    if not isinstance(weights, (str, Path)):
        fail("E632", f"`{STORED}` is given without a file of weights", None, help="give a GGUF file as the weights")
    return given_integers(checked.spec, weights, weights_layout)


def _plan(graph: Graph, wish: Quantisation, given: Mapping[str, GivenIntegers]) -> Plan:
    """The plan of a file, or the one that formats ask for. Raises SpecError E630 or E631."""
    if _is_file(wish):
        return planned(graph, read_formats(Path(wish.formats[0])))
    held = {path: one.storage for path, one in given.items() if one.storage is not None}
    return plan_of(graph, read_wishes(wish.formats, wish.keep), held)


def _is_file(wish: Quantisation) -> bool:
    """Whether the formats are those of a file."""
    return len(wish.formats) == 1 and wish.formats[0].endswith(".json") and not wish.keep


def _stored(quantising: Quantising) -> Spec:
    return quantised(quantising.floats.spec, quantising.plan)


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
