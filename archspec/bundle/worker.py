"""The build steps that compare and time, each of which runs in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspec.bundle import evaluating, genai_trials, step_timing
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.holding import held_artifact, held_module
from archspec.bundle.integers import check_integers, check_part
from archspec.bundle.network import check_network
from archspec.bundle.parity import contest
from archspec.bundle.quantising import quantise_weights
from archspec.bundle.rank_network import check_ranks
from archspec.bundle.report import ParityTrial, network_of, step_of
from archspec.bundle.step_network import StepNetworks, check_step_network
from archspec.bundle.step_parity import step_contest
from archspec.bundle.timing import time_artifacts
from archspec.checking.checks import accepted
from archspec.diagnostics import Collector, SpecError
from archspec.engines.engine import Target
from archspec.engines.program import Program
from archspec.engines.registry import network_engine
from archspec.engines.scopes import placed
from archspec.lower.step_programs import step_programs
from archspec.spec import load


def compare(job: dict[str, Any]) -> dict[str, Any]:
    """Compare an artifact with the module and the interpreter.

    Raises SpecError E609 for every output that differs too much, and for integers other than those of the weights.
    """
    target = Target(engine=job["engine"], capabilities=tuple(job["capabilities"]))
    program = Program.from_json(job["program"])
    file = Path(job["file"])
    held = contest(target, job["dtype"], file, program, Path(job["spec"]))
    check_integers(str(target), [file], held.graph, program.weights, job["dtype"])
    made = list(held.trials())
    if job["reference"] is not None:
        path, name = Path(job["reference"]["path"]), job["reference"]["name"]
        made.append(
            held_artifact(str(target), job["dtype"], held.opened, program, bundled_spec(Path(job["spec"])), path, name)
        )
    return _judged(made)


def quantise(job: dict[str, Any]) -> dict[str, Any]:
    """Round the weights of a file by the plan of the bundle. Raises SpecError E633."""
    quantise_weights(Path(job["spec"]), Path(job["floats"]), Path(job["weights"]), job["calibration"])
    return {}


def evaluate(job: dict[str, Any]) -> dict[str, Any]:
    """Measure what quantised weights cost. Raises SpecError E633 or E634."""
    return {"loss": evaluating.evaluate(job).model_dump(mode="json")}


def weigh(job: dict[str, Any]) -> dict[str, Any]:
    """Measure what ways to store parameters lose, each alone. Raises SpecError E633."""
    return {"losses": evaluating.losses(job)}


def hold(job: dict[str, Any]) -> dict[str, Any]:
    """Hold the module to a reference of the original. Raises SpecError E640 where it differs, E641 if it cannot be."""
    program, reference = Program.from_json(job["program"]), job["reference"]
    path, name, sha256 = Path(reference["path"]), reference["name"], reference["sha256"]
    entry = held_module(program, load(Path(job["spec"])), path, name, sha256)
    return {"original": entry.model_dump(mode="json")}


def compare_step(job: dict[str, Any]) -> dict[str, Any]:
    """Compare the built step of a decoder with the full forward. Raises SpecError E609 as `compare` does."""
    target = Target(engine=job["engine"], capabilities=tuple(job["capabilities"]))
    program, files = Program.from_json(job["program"]), {part: Path(file) for part, file in job["files"].items()}
    held = step_contest(target, job["dtype"], files, program, Path(job["spec"]))
    check_integers(held.artifact, [*files.values()], held.checked.spec.graph, program.weights, job["dtype"])
    return _judged(list(held.trials()))


def export_genai(job: dict[str, Any]) -> dict[str, Any]:
    """Write the step of a decoder for ONNX Runtime GenAI. Raises SpecError E527 or E607."""
    genai_trials.export(job)
    return {}


def compare_genai(job: dict[str, Any]) -> dict[str, Any]:
    """Compare that step with full forwards. Raises SpecError E609 for every one that differs too much."""
    return _judged(genai_trials.trials(job))


def verify_network(job: dict[str, Any]) -> dict[str, Any]:
    """Compare the network that an engine makes of a file with the spec.

    Raises SpecError as `check_network` and `check_integers` do.
    """
    engine, program, source = network_engine(job["engine"]), Program.from_json(job["program"]), Path(job["source"])
    graph = bundled_spec(Path(job["spec"])).graph
    check_integers(network_of(engine.word), [source], graph, program.weights, job["dtype"])
    try:
        entry, made = check_network(engine, source, program, job["dtype"], Path(job["spec"]))
    except SpecError as error:
        raise placed(error, source) from None
    return {"network": entry.model_dump(mode="json"), **_sorted(made)}


def verify_step_network(job: dict[str, Any]) -> dict[str, Any]:
    """Compare the network that an engine makes of a decoder's step with the spec.

    Also returns the tensors of integers and scales that are `missing` in the file: that of another part must hold them.
    Raises SpecError as `check_step_network` and `check_part` do.
    """
    source, once, engine = Path(job["source"]), job["once"], network_engine(job["engine"])
    step = StepNetworks(
        program=Program.from_json(job["program"]),
        whole=Program.from_json(job["whole"]),
        once=None if once is None else Program.from_json(once),
        dtype=job["dtype"],
        spec=Path(job["spec"]),
    )
    graph, name = bundled_spec(step.spec).graph, network_of(step_of(engine.word))
    missing = check_part(name, source, graph, step.program.weights, step.dtype)
    try:
        entry, made = check_step_network(engine, source, step)
    except SpecError as error:
        raise placed(error, source) from None
    return {"network": entry.model_dump(mode="json"), "missing": missing, **_sorted(made)}


def verify_rank_networks(job: dict[str, Any]) -> dict[str, Any]:
    """Compare the networks that an engine makes of the files of all ranks with the spec.

    Raises SpecError as `check_ranks` does.
    """
    programs, sources = [Program.from_json(one) for one in job["programs"]], [Path(one) for one in job["sources"]]
    engine, whole = network_engine(job["engine"]), Program.from_json(job["whole"])
    try:
        entries, made = check_ranks(engine, sources, programs, whole, job["dtype"], Path(job["spec"]))
    except SpecError as error:
        # Nodes have the same names in the files of all ranks.
        raise placed(error, sources[0]) from None
    return {"networks": [entry.model_dump(mode="json") for entry in entries], **_sorted(made)}


def time_all(job: dict[str, Any]) -> dict[str, Any]:
    """Time artifacts that this host can open. Raises SpecError as `time_artifacts` does."""
    files = {target: Path(file) for target, file in job["files"].items()}
    timings = time_artifacts(files, Program.from_json(job["program"]), job["dtype"], job["rounding"])
    return {"timings": [timing.model_dump(mode="json") for timing in timings]}


def time_steps(job: dict[str, Any]) -> dict[str, Any]:
    """Time built steps that this host can open. Raises SpecError as `step_timing.time_steps` does."""
    files = {target: {part: Path(file) for part, file in parts.items()} for target, parts in job["files"].items()}
    checked = accepted(bundled_spec(Path(job["spec"])), unproved=True)
    programs = step_programs(checked)
    # Steps were built, so that there are programs.
    assert programs is not None
    timings = step_timing.time_steps(files, checked, programs, job["dtype"], job["rounding"])
    return {"timings": [timing.model_dump(mode="json") for timing in timings]}


def _judged(made: Sequence[ParityTrial | str]) -> dict[str, Any]:
    """Return trials as plain data. Raises SpecError E609 for every output that differs too much."""
    found = Collector()
    for trial in made:
        if isinstance(trial, ParityTrial):
            trial.judge(found)
    found.raise_if_errors()
    return _sorted(made)


def _sorted(made: Sequence[ParityTrial | str]) -> dict[str, Any]:
    """Separate trials, as plain data, from texts about skipped ones."""
    trials = [trial.model_dump(mode="json") for trial in made if isinstance(trial, ParityTrial)]
    return {"trials": trials, "skipped": [line for line in made if isinstance(line, str)]}
