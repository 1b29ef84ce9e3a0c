"""What a build says of a network: parity first, then the rules, as `check_network` holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archspec.bundle.parity import SEED
from archspec.bundle.report import TOLERANCE
from archspec.bundle.sources import MODULE, SPEC, WEIGHTS, texts_of
from archspec.checking import accepted, compile
from archspec.contract.fill import fill
from archspec.contract.lowered import FLOAT32, NetworkRunner, network_subject
from archspec.contract.redrawn import parity_redrawn
from archspec.contract.sizes import probe
from archspec.contract.verify import findings_of
from archspec.diagnostics import SpecError
from archspec.engines.export import export_onnx
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.program import Program
from archspec.engines.rtx.parsing import parse
from archspec.lower.naming import class_name
from archspec.model.ports import DTypeName, interface_of
from archspec.model.samples import generate, patterns, sample
from archspec.model.sizes import minimum, odd, typical
from archspec.oracle.interpreter import interpret
from archspec.spec import load
from archspec.spec.claims import Claims, load_claims
from tests.steps import operators_read_once

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """A shipped spec at its reduced size, exported, with the network that TensorRT reads."""

    program: Program
    onnx: Path
    spec: Path
    claims: Claims
    plan: NetworkPlan
    dtype: DTypeName


def lowered(name: str, folder: Path, dtype: DTypeName = "float32", set: Sequence[str] = ()) -> Lowered:
    """Export a spec with filled parameters, and read the network."""
    from safetensors.torch import save_file

    spec = load(name, reduced=True, set=set)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts_of(accepted(spec)).items():
        (folder / file).write_text(text)
    state = fill(compile(spec)).state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / WEIGHTS)
    program = Program(
        source=folder / MODULE,
        module=class_name(spec.name),
        weights=folder / WEIGHTS,
        interface=interface_of(spec),
    )
    onnx = folder / "model.onnx"
    with operators_read_once():
        export_onnx(program, dtype, onnx)
    plan = parse(onnx, program.interface.inputs, program.interface.outputs).plan()
    claims = load_claims(folder / SPEC)
    return Lowered(program=program, onnx=onnx, spec=folder / SPEC, claims=claims, plan=plan, dtype=dtype)


class Court:
    """Judges changed networks of one spec: what the interpreter says is computed once."""

    def __init__(self, case: Lowered, parameters: Arrays) -> None:
        assert case.claims.spec is not None
        self.claims, self.parameters = case.claims, parameters
        cases = []
        symbols = case.program.interface.symbols
        sizes = probe(case.claims)
        for number, pattern in enumerate(patterns(case.claims)):
            cases.append((generate(case.claims, sizes, pattern, SEED + number), sizes))
        for sizes in (odd(symbols), typical(symbols), minimum(symbols)):
            cases.append((sample(case.program.interface, sizes, SEED), sizes))
        self.cases = [(given, interpret(case.claims.spec.graph, given, parameters, at)) for given, at in cases]

    def verdict(self, plan: NetworkPlan, same: Callable[[NetworkPlan], bool] = lambda plan: False) -> str | None:
        """What catches a network; None where nothing does.

        One that is the `same` as the unchanged one is held against no rule: that takes seconds, and they hold.
        """
        declared, exact = NetworkRunner(plan), NetworkRunner(plan, "exact")
        try:
            for given, expected in self.cases:
                if differs(declared.run(given), expected, TOLERANCE["float32"]):
                    return "parity"
                if differs(exact.run(given), expected, FLOAT32.exact):
                    return "parity in float64"
            if same(plan):
                return None
            found = findings_of(network_subject("mutant", plan), self.claims, parameters=self.parameters, seed=SEED)
            redrawn = parity_redrawn([plan], self.claims, self.parameters, SEED)
            return next((one.claim for one in (*found, *redrawn) if one.status == "violated"), None)
        except SpecError as error:
            return f"fails ({error.diagnostics[0].code})"


def differs(found: Arrays, expected: Arrays, tolerance: float) -> bool:
    """Whether an output is further off than a share of its largest value or 1."""
    return any(_apart(found[name], wanted) > tolerance for name, wanted in expected.items())


def _apart(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    apart = np.abs(found.astype(np.float64) - wanted) / max(1.0, float(np.abs(wanted).max(initial=0.0)))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))


def is_equivalent(case: Lowered, court: Court, plan: NetworkPlan) -> bool:
    """Whether a network computes in float64 what the unchanged one does, to the last few bits.

    The 1e-12 that some norms add count as that.

    So does one without the bias of its keys: softmax does not see what is added to all scores of a query.
    """
    exact, changed = NetworkRunner(case.plan, "exact"), NetworkRunner(plan, "exact")
    for given, _ in court.cases:
        wanted, found = exact.run(given), changed.run(given)
        if any(not np.allclose(found[name], wanted[name], rtol=1e-11, atol=1e-11) for name in wanted):
            return False
    return True
