"""What a bundle's quantised weights cost on given inputs, and which nodes cost most."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.analyses.parameters import expand
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.calibrating import rounding_module
from archspec.bundle.class_scores import ClassScores, class_scores
from archspec.bundle.greedy import Greedy, greedy
from archspec.bundle.manifest import GreedyEntry, LossEntry
from archspec.bundle.parity import module_runner, run_module
from archspec.bundle.rows import labels_of, rows_of
from archspec.bundle.stepping import step_runner
from archspec.bundle.stored import StoredArrays
from archspec.contract.counted import counted, over
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.module import load_module
from archspec.engines.opening import open_artifact
from archspec.engines.program import Program
from archspec.engines.registry import target_of
from archspec.ir.graph import Parameter
from archspec.ir.storage import Storage
from archspec.model.archives import read_arrays
from archspec.model.inputs import LABELS, prepare
from archspec.model.ports import DTypeName, sizes_of
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.passes.round_operands import readers
from archspec.quantising.calibrating import rounding_alone
from archspec.quantising.loss import Loss, Tally, exponential, measures
from archspec.quantising.rounding import suited
from archspec.quantising.sizing import Option, read_option, stored_options
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.claims import claims_of

if TYPE_CHECKING:
    from torch import Tensor, nn

LIMITS = ("kl", "disagreement", "perplexity", "accuracy")
_SHARES = ("disagreement", "accuracy")
_WORST = 4
_MOST_STEPS = 2048


@record(eq=False)
class Evaluation:
    """Inputs on which a model is compared with what its weights were rounded from.

    `rounding` has the module that rounds what products read, with weights as floats.
    """

    spec: Spec
    program: Program
    floats: Program
    arrays: Arrays
    rounding: Program | None = None

    def loss(self, opened: Callable[[], Runner] | None = None, dtype: DTypeName = "float32") -> Loss:
        """Compare the module with quantised weights, or else what is `opened`, with the module with floats.

        An artifact takes floats in `dtype`. Raises SpecError E633.
        """
        wanted = self._scores(module_runner(self.floats))
        return self._against(wanted, (opened or partial(module_runner, self.program))(), dtype)

    def loss_of(self, artifact: Mapping[str, Any]) -> Loss:
        """Compare an artifact, which rounds what it multiplies, with the module with floats.

        It has its `target` and `dtype`, and a `file`, or `files` by part for a cached step, of which so many rows are
        measured as have some thousand positions. Raises SpecError E633.
        """
        target, interface, dtype = target_of(artifact["target"]), self.program.interface, artifact["dtype"]
        if "file" in artifact:
            file = Path(artifact["file"])
            return self.loss(partial(open_artifact, target, file, interface, rounded=True), dtype)
        files = {part: Path(file) for part, file in artifact["files"].items()}
        # A step was built, so that something is decoded.
        assert self.spec.decode is not None
        count = max(1, _MOST_STEPS // self.arrays[self.spec.decode.input].shape[1])
        few = replace(self, arrays={name: array[:count] for name, array in self.arrays.items()})
        return few.loss(partial(step_runner, self.spec, interface, target, dtype, files, rounded=True), dtype)

    def greedy(self) -> Greedy | None:
        """Decode greedily with both modules, after the first ids of the first row."""
        decode, inputs = self.spec.decode, self._rows[0]
        if decode is None:
            return None
        positions = self._counted(0, inputs[decode.input].shape[:2])[0]
        runners = module_runner(self.floats), module_runner(self.program)
        return greedy(decode, self.program.interface, inputs, positions, *runners)

    def by_parameter(self) -> dict[str, float]:
        """The divergence that each parameter causes alone, by path, the largest first."""
        module, stored = load_module(self.floats, "float32"), StoredArrays(self.program.weights)
        runner = self._runner(module)
        wanted, found = self._scores(runner), dict[str, float]()
        for parameter, names in self._quantised().items():
            kept = self._put(module, {name: _values(parameter, name, stored) for name in names})
            found[parameter.path] = self._against(wanted, runner).kl
            self._put(module, kept)
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    def by_activation(self) -> dict[str, float]:
        """The divergence that rounding what a product reads causes alone, by its path, the largest first."""
        own = readers(self.spec.graph)
        found = self._rounding_alone(dict.fromkeys(own.values()))
        told = {product: found[scale] for product, scale in own.items() if scale in found}
        return dict(sorted(told.items(), key=lambda one: -one[1]))

    def _rounding_alone(self, scales: Iterable[str]) -> dict[str, float]:
        """The divergence that rounding at each scale causes alone, by its path."""
        if self.rounding is None:
            return {}
        stored, found = StoredArrays(self.program.weights), dict[str, float]()
        wanted = self._scores(module_runner(self.floats))
        module = rounding_module(self.rounding, {name: _tensor(stored[name]) for name in self._scales})
        runner = self._runner(module)
        for scale in scales:
            layers = [name.rpartition(".")[0] for name, path in self._scales.items() if path == scale]
            with rounding_alone(module, layers):
                found[scale] = self._against(wanted, runner).kl
        return found

    def by_kept(self) -> dict[str, float]:
        """The divergence that rounding a part of the cache causes alone, by the path of what rounds it."""
        paths = dict.fromkeys(path for path in self._scales.values() if path not in readers(self.spec.graph).values())
        return {path.rpartition(".")[0]: kl for path, kl in self._rounding_alone(paths).items()}

    @cached_property
    def _scales(self) -> dict[str, str]:
        """The names of the scales of what is rounded, each with its path."""
        return {name: one.path for name, one in expand(self.spec.graph).items() if one.calibrated}

    def alone(self, options: Mapping[str, Sequence[Option]]) -> dict[str, list[float]]:
        """The divergence that each way to store a parameter causes alone, by path; floats cause none."""
        module = load_module(self.floats, "float32")
        runner = self._runner(module)
        wanted, names = self._scores(runner), dict[str, list[str]]()
        for name, parameter in expand(self.spec.graph).items():
            names.setdefault(parameter.path, []).append(name)
        found = {path: [0.0] * len(ways) for path, ways in options.items()}
        for path, place, storage in stored_options(options):
            own = module.state_dict()
            kept = self._put(module, {name: _rounded(own[name], storage) for name in names[path]})
            found[path][place] = self._against(wanted, runner).kl
            self._put(module, kept)
        return found

    def _quantised(self) -> Mapping[Parameter, list[str]]:
        """The parameters that are integers, with the names of their tensors."""
        found: dict[Parameter, list[str]] = {}
        for name, parameter in expand(self.spec.graph).items():
            if parameter.stored is not None:
                found.setdefault(parameter, []).append(name)
        return found

    def _runner(self, module: nn.Module) -> Runner:
        return FunctionRunner(function=lambda arrays: run_module(module, self.program, arrays))

    def _put(self, module: nn.Module, values: Arrays) -> dict[str, Array]:
        """Put values into a module. Returns those that it had."""
        import torch

        own = module.state_dict()
        kept = {name: own[name].numpy().copy() for name in values}
        with torch.no_grad():
            for name, array in values.items():
                own[name].copy_(torch.from_numpy(array))
        return kept

    def _against(self, wanted: Sequence[Array], runner: Runner, dtype: DTypeName = "float32") -> Loss:
        tally = Tally()
        for row, (floats, integers) in enumerate(zip(wanted, self._scores(runner, dtype), strict=True)):
            positions = self._counted(row, floats.shape[:-1])
            _check_finite(floats, positions, f"with floats, scores of row {row} are not finite")
            _check_finite(integers, positions, f"quantised, scores of row {row} are not finite")
            right, classes = self._right(row, positions, floats.shape), floats.shape[-1]
            tally.add(floats.reshape(-1, classes), integers.reshape(-1, classes), positions.reshape(-1), right)
        if not tally.positions:
            fail("E633", "no position of the inputs to evaluate on counts", None)
        return tally.loss

    def _counted(self, row: int, shape: tuple[int, ...]) -> Array:
        """The positions of a row that count, of which there are as many as `shape` says."""
        inputs, own = self._rows[row], self.scores
        places = counted(claims_of(self.spec), inputs, sizes_of(self.program.interface, inputs))[own.output]
        # A position counts if all of its scores do.
        return over(np.all(places, axis=own.axis) if places.ndim > own.axis else places, shape)

    def _scores(self, runner: Runner, dtype: DTypeName = "float32") -> list[Array]:
        """The scores of each row, with the classes along the last axis."""
        interface, own = self.program.interface, self.scores
        rows = self._rows if dtype == "float32" else [prepare(interface, one, dtype) for one in self._rows]
        return [np.moveaxis(runner.run(inputs)[own.output], own.axis, -1) for inputs in rows]

    @cached_property
    def _rows(self) -> list[dict[str, Array]]:
        """The inputs of one run each, since there may be more rows than the model takes at once."""
        return list(rows_of(self.program.interface, self.arrays, "the inputs to evaluate on"))

    @cached_property
    def labels(self) -> Array | None:
        """The right classes that are given."""
        return labels_of(self.program.interface, self.arrays)

    @cached_property
    def scores(self) -> ClassScores:
        """What has scores of classes. Raises SpecError E633."""
        return class_scores(self.spec, None if self.labels is None else self.labels.shape)

    def _right(self, row: int, positions: Array, shape: tuple[int, ...]) -> Array | None:
        """The right class of each position, below zero where it is not known: what is given, or the next id.

        `positions` are those of the row that count, and `shape` is that of its scores.
        """
        labels, decode = self.labels, self.spec.decode
        if labels is not None:
            mine, places = labels[row : row + 1], shape[:-1]
            if labels.shape != (len(self._rows), *places[1:]) or mine.dtype.kind not in "iu":
                wanted = f"expected integers {[len(self._rows), *places[1:]]}"
                fail("E633", f"`{LABELS}` is {labels.dtype}{[*labels.shape]}", None, notes=[wanted])
            if (mine >= shape[-1]).any():
                place = [row, *(int(one) for one in np.argwhere(mine >= shape[-1])[0][1:])]
                message = f"`{LABELS}{place}` is {labels[tuple(place)]}, but there are {shape[-1]} classes"
                fail("E633", message, None, help="give -1 where the right class is not known")
            return mine.reshape(-1)
        ids = self._rows[row][decode.input] if decode is not None else None
        if ids is None or ids.shape != shape[:-1] or ids.dtype.kind not in "iu":
            return None
        # Behind the last position, and where padding follows, no id is the next one.
        follows = np.zeros_like(positions)
        follows[:, :-1] = positions[:, 1:]
        return np.where(follows, np.roll(ids, -1, axis=1), -1).reshape(-1)


def _check_finite(scores: Array, counted: Array, message: str) -> None:
    """Raise SpecError E633 for scores [positions, classes] of positions that count which are not finite."""
    if not np.isfinite(scores[counted]).all():
        fail("E633", message, None, notes=["no loss can be measured on them"], help="leave the row out")


def _tensor(array: Array) -> Any:
    import torch

    return torch.from_numpy(array)


def _values(parameter: Parameter, name: str, stored: Mapping[str, Any]) -> Array:
    """The numbers that the integers of a parameter stand for, as float32."""
    assert parameter.stored is not None
    assert parameter.scale is not None
    scales = stored[f"{name}{parameter.scale.path[len(parameter.path) :]}"]
    return parameter.stored.values(stored[name], scales).astype(np.float32)


def _rounded(weight: Tensor, storage: Storage) -> Array:
    """The numbers that a weight becomes, as float32."""
    integers, scales = suited(weight, storage)
    return storage.values(integers.numpy(), scales.numpy()).astype(np.float32)


def losses(job: Mapping[str, Any]) -> dict[str, list[float]]:
    """Measure what each way to store a parameter loses alone.

    The job has `spec`, the program `floats`, the `data` to evaluate on, what it is `called`, and `options` by path: the
    bits, axes with scales of their own and block of each way, None for floats. Raises SpecError E633.
    """
    spec, floats = bundled_spec(Path(job["spec"])), Program.from_json(job["floats"])
    types = {port.name: port.type for port in floats.interface.input_ports}
    arrays = read_arrays(Path(job["data"]), types, job["called"])
    ways = {path: [read_option(one) for one in each] for path, each in job["options"].items()}
    return Evaluation(spec=spec, program=floats, floats=floats, arrays=arrays).alone(ways)


def evaluate(job: Mapping[str, Any]) -> LossEntry:
    """Measure what quantised weights cost, and compare it with limits.

    The job has `spec`, the programs `floats`, `rounding` and `program`, the `data` to evaluate on, what it is `called`,
    `at_most` by measure, and a `remedy` for too much, if there is another than to keep nodes. With an `artifact`, it is
    that which is measured, rounding what it multiplies. Raises SpecError E633 for data that cannot be used, E634 for
    more loss than is allowed.
    """
    program, data = Program.from_json(job["program"]), Path(job["data"])
    types = {port.name: port.type for port in program.interface.input_ports}
    evaluation = Evaluation(
        spec=bundled_spec(Path(job["spec"])),
        program=program,
        floats=Program.from_json(job["floats"]),
        rounding=None if job["rounding"] is None else Program.from_json(job["rounding"]),
        arrays=read_arrays(data, types, job["called"]),
    )
    artifact = job.get("artifact")
    loss = evaluation.loss() if artifact is None else evaluation.loss_of(artifact)
    what = "quantised weights lose" if artifact is None else f"`{artifact['called']}` with rounded inputs loses"
    _judge(what, loss, job["at_most"], evaluation, job["remedy"])
    return LossEntry(
        data=job["called"],
        sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        output=evaluation.scores.output,
        classes=evaluation.scores.classes,
        positions=loss.positions,
        kl=loss.kl,
        agreement=loss.agreement,
        largest=loss.largest,
        scale=loss.scale,
        flip=None if loss.flip is None else list(loss.flip),
        greedy=_greedy(evaluation) if artifact is None else None,
        known=loss.known,
        perplexity=None if loss.likelihood is None else _perplexity(loss.likelihood),
        accuracy=None if loss.accuracy is None else list(loss.accuracy),
    )


def _greedy(evaluation: Evaluation) -> GreedyEntry | None:
    """Where greedy decoding gives another token, if it can be told."""
    found = evaluation.greedy()
    if found is None:
        return None
    first = None if found.first is None else list(found.first)
    return GreedyEntry(prompt=found.prompt, tokens=found.tokens, first=first)


def _perplexity(likelihood: Sequence[float]) -> list[float] | None:
    """Those of floats and integers; None for one that no float holds."""
    found = [exponential(-one) for one in likelihood]
    return found if all(map(math.isfinite, found)) else None


def _judge(what: str, loss: Loss, limits: Mapping[str, float], evaluation: Evaluation, remedy: str) -> None:
    """Raise SpecError with E634 if a measure exceeds its limit, and name the nodes that cost most.

    `remedy` is what to do about it; if it is empty, the worst node is named for it.
    """
    found = measures(loss)
    for name in limits:
        if name not in found:
            given = evaluation.labels is not None
            help = f"those below 0 in `{LABELS}` do not count" if given else f"give an array `{LABELS}` with the inputs"
            fail("E633", f"`{name}` cannot be measured: no right class is known", None, help=help)
    over_limit = {name: found[name] for name, most in limits.items() if not found[name] <= most}
    if not over_limit:
        return
    alone = {
        **{path: (kl, path.rpartition(".")[0]) for path, kl in evaluation.by_parameter().items()},
        **{f"what {path} reads": (kl, path) for path, kl in evaluation.by_activation().items()},
        **{f"what {path} holds": (kl, "") for path, kl in evaluation.by_kept().items()},
    }
    # What costs nothing is not to blame.
    worst = [one for one in sorted(alone.items(), key=lambda one: -one[1][0])[:_WORST] if one[1][0] > 0]
    told = ", ".join(f"{name} is {value:.3g}, allowed {limits[name]:g}" for name, value in over_limit.items())
    notes = [f"`{path}` alone: kl {kl:.3g}" for path, (kl, _) in worst]
    advice = remedy or (_remedy(worst[0][1][1]) if worst else None)
    fail("E634", f"{what} too much: {told}", None, notes=notes, help=advice)


def _remedy(node: str) -> str:
    """What to do about what costs most, a node or else a cache."""
    if not node:
        return "calibrate on more rows, or leave `--kv-cache` out"
    return f"keep the worst as floats, `--keep {node}`, or give it more bits"


def read_limits(texts: Sequence[str]) -> dict[str, float]:
    """Read limits `kl=0.02`. Raises SpecError E635, also for those that no loss or every loss is within."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name in found:
            fail("E635", f"two limits of `{name}` are given", None, help="give one of them")
        if name not in LIMITS or not math.isfinite(value):
            close = did_you_mean(name, LIMITS, kind="measures") if name not in LIMITS else None
            fail("E635", f"`{text}` is no limit", None, help=close or f"write `kl=0.02`; measures: {', '.join(LIMITS)}")
        if value < 0:
            notes = ["it is the most that may be lost, and less than nothing would have to be gained"]
            fail("E635", f"the limit `{text}` is below 0", None, notes=notes, help=f"write `{name}=0`, or more")
        if value >= 1 and name in _SHARES:
            notes = [f"`{name}` is a share of all positions, so that every loss is within it"]
            help = f"write `{name}=0.01` for one position in a hundred"
            fail("E635", f"the limit `{text}` refuses nothing", None, notes=notes, help=help)
        found[name] = value
    return found
