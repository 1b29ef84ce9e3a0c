"""What a bundle's quantised weights cost on given inputs, and which nodes cost most."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.analyses.parameters import expand
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.calibrating import rounding_module
from archspec.bundle.manifest import LossEntry
from archspec.bundle.parity import run_module
from archspec.bundle.rows import LABELS, rows_of
from archspec.bundle.stored import StoredArrays
from archspec.contract.counted import counted, over
from archspec.diagnostics import did_you_mean, fail
from archspec.engines.module import load_module
from archspec.engines.program import Program
from archspec.ir.graph import Parameter
from archspec.model.archives import read_arrays
from archspec.model.ports import sizes_of
from archspec.model.runner import Array, Arrays
from archspec.passes.round_operands import readers
from archspec.quantising.calibrating import rounding_alone
from archspec.quantising.loss import Loss, Tally, measures
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.claims import claims_of

if TYPE_CHECKING:
    from torch import nn

LIMITS = ("kl", "disagreement", "perplexity", "accuracy")
_WORST = 4


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

    def loss(self) -> Loss:
        """Compare the module with quantised weights with the one with floats. Raises SpecError E633."""
        wanted = self._scores(load_module(self.floats, "float32"))
        return self._against(wanted, load_module(self.program, "float32"))

    def by_parameter(self) -> dict[str, float]:
        """The divergence that each parameter causes alone, by path, the largest first."""
        module, stored = load_module(self.floats, "float32"), StoredArrays(self.program.weights)
        wanted, found = self._scores(module), dict[str, float]()
        for parameter, names in self._quantised().items():
            kept = self._put(module, {name: _values(parameter, name, stored) for name in names})
            found[parameter.path] = self._against(wanted, module).kl
            self._put(module, kept)
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    def by_activation(self) -> dict[str, float]:
        """The divergence that rounding what a product reads causes alone, by its path, the largest first."""
        if self.rounding is None:
            return {}
        stored, found = StoredArrays(self.program.weights), dict[str, float]()
        wanted = self._scores(load_module(self.floats, "float32"))
        module = rounding_module(self.rounding, {name: _tensor(stored[name]) for name in self._scales})
        for product, scale in readers(self.spec.graph).items():
            layers = [name.rpartition(".")[0] for name, path in self._scales.items() if path == scale]
            with rounding_alone(module, layers):
                found[product] = self._against(wanted, module).kl
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    @cached_property
    def _scales(self) -> dict[str, str]:
        """The names of the scales of what is rounded, each with its path."""
        return {name: one.path for name, one in expand(self.spec.graph).items() if one.calibrated}

    def _quantised(self) -> Mapping[Parameter, list[str]]:
        """The parameters that are integers, with the names of their tensors."""
        found: dict[Parameter, list[str]] = {}
        for name, parameter in expand(self.spec.graph).items():
            if parameter.stored is not None:
                found.setdefault(parameter, []).append(name)
        return found

    def _put(self, module: nn.Module, values: Arrays) -> dict[str, Array]:
        """Put values into a module. Returns those that it had."""
        import torch

        own = module.state_dict()
        kept = {name: own[name].numpy().copy() for name in values}
        with torch.no_grad():
            for name, array in values.items():
                own[name].copy_(torch.from_numpy(array))
        return kept

    def _against(self, wanted: Sequence[Array], module: nn.Module) -> Loss:
        tally = Tally()
        for row, (floats, integers) in enumerate(zip(wanted, self._scores(module), strict=True)):
            inputs = self._rows[row]
            places = counted(claims_of(self.spec), inputs, sizes_of(self.program.interface, inputs))[self._output]
            positions = over(places, floats.shape[:-1]).reshape(-1)
            right, classes = self._right(row, inputs, floats.shape[:-1]), floats.shape[-1]
            tally.add(floats.reshape(-1, classes), integers.reshape(-1, classes), positions, right)
        if not tally.positions:
            fail("E633", "no position of the inputs to evaluate on counts", None)
        return tally.loss

    def _scores(self, module: nn.Module) -> list[Array]:
        return [run_module(module, self.program, inputs)[self._output] for inputs in self._rows]

    @cached_property
    def _rows(self) -> list[dict[str, Array]]:
        """The inputs of one run each, since there may be more rows than the model takes at once."""
        return list(rows_of(self.program.interface, self.arrays, "the inputs to evaluate on"))

    @property
    def _output(self) -> str:
        """The output that has scores of classes. Raises SpecError E633."""
        outputs = self.program.interface.outputs
        decode = self.spec.decode
        if decode is not None:
            return decode.output
        if "logits" in outputs or len(outputs) == 1:
            return "logits" if "logits" in outputs else next(iter(outputs))
        help = "name the output with the scores of classes `logits`"
        return fail("E633", f"which of {', '.join(outputs)} has scores of classes is not known", None, help=help)

    def _right(self, row: int, inputs: Arrays, shape: tuple[int, ...]) -> Array | None:
        """The right class of each position: what is given, or the next id of what is decoded."""
        labels, decode = self.arrays.get(LABELS), self.spec.decode
        if labels is not None:
            mine = labels[row : row + 1]
            if mine.size != math.prod(shape) or mine.dtype.kind not in "iu":
                wanted = f"expected integers {[*shape]} for each row"
                fail("E633", f"`{LABELS}` is {labels.dtype}{[*labels.shape]}", None, notes=[wanted])
            return mine.reshape(-1)
        ids = inputs[decode.input] if decode is not None else None
        if ids is None or ids.shape != shape or ids.dtype.kind not in "iu":
            return None
        return np.concatenate([ids[:, 1:], np.full_like(ids[:, :1], -1)], axis=1).reshape(-1)


def _tensor(array: Array) -> Any:
    import torch

    return torch.from_numpy(array)


def _values(parameter: Parameter, name: str, stored: Mapping[str, Any]) -> Array:
    """The numbers that the integers of a parameter stand for, as float32."""
    assert parameter.stored is not None
    assert parameter.scale is not None
    scales = stored[f"{name}{parameter.scale.path[len(parameter.path) :]}"]
    return parameter.stored.values(stored[name], scales).astype(np.float32)


def evaluate(job: Mapping[str, Any]) -> LossEntry:
    """Measure what quantised weights cost, and compare it with limits.

    The job has `spec`, the programs `floats`, `rounding` and `program`, the `data` to evaluate on, what it is `called`,
    and `at_most` by measure. Raises SpecError E633 for data that cannot be used, E634 for more loss than is allowed.
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
    loss = evaluation.loss()
    _judge(loss, job["at_most"], evaluation)
    return LossEntry(
        data=job["called"],
        sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        positions=loss.positions,
        kl=loss.kl,
        agreement=loss.agreement,
        largest=loss.largest,
        scale=loss.scale,
        flip=None if loss.flip is None else list(loss.flip),
        perplexity=None if loss.likelihood is None else [math.exp(-one) for one in loss.likelihood],
        accuracy=None if loss.accuracy is None else list(loss.accuracy),
    )


def _judge(loss: Loss, limits: Mapping[str, float], evaluation: Evaluation) -> None:
    """Raise SpecError with E634 if a measure exceeds its limit, and name the nodes that cost most."""
    found = measures(loss)
    for name in limits:
        if name not in found:
            help = f"give an array `{LABELS}` beside the inputs"
            fail("E633", f"`{name}` cannot be measured: the right classes are not known", None, help=help)
    over_limit = {name: found[name] for name, most in limits.items() if not found[name] <= most}
    if not over_limit:
        return
    alone = {
        **{path: (kl, path.rpartition(".")[0]) for path, kl in evaluation.by_parameter().items()},
        **{f"what {path} reads": (kl, path) for path, kl in evaluation.by_activation().items()},
    }
    worst = sorted(alone.items(), key=lambda one: -one[1][0])[:_WORST]
    told = ", ".join(f"{name} is {value:.3g}, allowed {limits[name]:g}" for name, value in over_limit.items())
    notes = [f"`{path}` alone: kl {kl:.3g}" for path, (kl, _) in worst]
    help = f"keep the worst as floats, `--keep {worst[0][1][1]}`, or give it more bits"
    fail("E634", f"quantised weights lose too much: {told}", None, notes=notes, help=help)


def read_limits(texts: Sequence[str]) -> dict[str, float]:
    """Read limits `kl=0.02`. Raises SpecError E635."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name not in LIMITS or not math.isfinite(value):
            close = did_you_mean(name, LIMITS, kind="measures") if name not in LIMITS else None
            fail("E635", f"`{text}` is no limit", None, help=close or f"write `kl=0.02`; measures: {', '.join(LIMITS)}")
        found[name] = value
    return found
