"""Hold the emitted module, and then every artifact, to a reference of the original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from archspec.bundle.expected import read_recording, refuse_uncompared
from archspec.bundle.manifest import OriginalEntry
from archspec.bundle.parity import run_module
from archspec.bundle.report import OutputDifference, ParityTrial
from archspec.contract.counted import counted, over
from archspec.contract.difference import difference
from archspec.contract.held import Held, hold
from archspec.contract.protocol import Subject
from archspec.diagnostics import Collector, SpecError
from archspec.engines.module import load_module
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, target_of
from archspec.model.inputs import prepare
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.spec import Spec
from archspec.spec.claims import claims_of

_HELP = (
    "the map of the weights or a constant of the spec differs from the original's: look at `rearrange`, `transpose`, "
    "`split`, the layout of rotary positions, `eps`, activations and scales"
)
_ROUNDED = (
    "in float32 both agree: a small constant such as `eps` may differ, or the original rounds to float32 inside, as "
    "norms and softmax of some models do; then give its outputs in float32"
)


def held_module(program: Program, spec: Spec, path: Path, name: str, sha256: str) -> OriginalEntry:
    """Compare the emitted module with a reference, in float32 and where the reference is float64 in float64, too.

    Args:
        program: the emitted module and its weights.
        spec: the spec that it was emitted from.
        path: the reference.
        name: what the manifest and messages call it.
        sha256: the digest of the file.

    Returns:
        the manifest's entry.

    Raises:
        SpecError: E640 for every output that differs, E641 for a reference that does not fit.
    """
    recording = read_recording(spec, path, name)
    held = hold(claims_of(spec), _subject(program), [recording])
    refuse_unequal(held, name)
    refuse_uncompared(name, recording.outputs, held.compared)
    return OriginalEntry(
        reference=name,
        sha256=sha256,
        sizes=dict(recording.sizes),
        outputs=list(recording.outputs),
        left_out=[one for one in spec.outputs if one not in recording.outputs],
        largest=held.largest,
        exact=held.exact,
    )


def refuse_unequal(held: Held, name: str) -> None:
    """Raise SpecError with an E640 for every output that differs."""
    found = Collector()
    for one in held.mismatches:
        notes = [f"compared with {name}", *([_ROUNDED] if "float64" in one.how else [])]
        found.error("E640", str(one), None, notes=notes, help=_HELP)
    found.raise_if_errors()


def _subject(program: Program) -> Subject:
    """The emitted module as a subject; its float64 runner converts the module for good."""
    module = load_module(program, "float32")

    def run(arrays: Arrays) -> dict[str, Array]:
        return run_module(module, program, _in(arrays, np.float32))

    def exact(arrays: Arrays) -> dict[str, Array]:
        return run_module(module.double(), program, _in(arrays, np.float64))

    runners = FunctionRunner(function=run), FunctionRunner(function=exact)
    return Subject(name=program.module, runner=runners[0], exact=runners[1])


def _in(arrays: Arrays, dtype: Any) -> dict[str, Array]:
    """The arrays, floats in another dtype."""
    return {name: array.astype(dtype) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def held_artifact(
    target: str, dtype: DTypeName, opened: Callable[[], Runner], program: Program, spec: Spec, path: Path, name: str
) -> ParityTrial | str:
    """Compare an artifact with a reference at the positions that count; a text says why it was not compared.

    Args:
        target: the artifact's target.
        dtype: its precision.
        opened: opens it.
        program: the module that it was built from, with the profiles.
        spec: the spec, whose rules say which positions count.
        path: the reference.
        name: what messages call it.
    """
    recording = read_recording(spec, path, name)
    profiles = program.profiles if engine_of(target_of(target)).profiled else ()
    try:
        inputs = prepare(program.interface, recording.inputs, dtype, profiles)
    except SpecError as error:
        return f"{target} against {name}: {error.diagnostics[0].message}"
    found = opened().run(inputs)
    positions = counted(claims_of(spec), recording.inputs, recording.sizes)
    differences = [_measured(one, found[one], wanted, positions[one]) for one, wanted in recording.outputs.items()]
    sizes = dict(recording.sizes)
    return ParityTrial(artifact=target, dtype=dtype, reference="original", sizes=sizes, differences=differences)


def _measured(name: str, found: Array, wanted: Array, positions: Array) -> OutputDifference:
    """How far an output is from the original's at the positions that count."""
    apart = difference(found, wanted, over(positions, wanted.shape))
    return OutputDifference(output=name, largest=apart.largest, scale=apart.scale)
