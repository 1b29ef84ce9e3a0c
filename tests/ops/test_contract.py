"""The contract that every primitive keeps, at every case: shapes, cost, dependence and value, against PyTorch."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archspec.ir.types import DType
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.registry import all_primitives
from archspec.record import record
from archspec.relation.atoms import EVERYTHING
from archspec.relation.evaluate import matrix
from tests.ops.case import Case, all_cases, without_case
from tests.ops.emit_module import layer_of, module_of
from tests.ops.perturbation import dependence

CASES = all_cases()
WITH_LAYER = [case for case in CASES if case.op.calls_layer and case.op.layer(*case.inputs)]
EXPORTED = list({case.op.name: case for case in reversed(CASES)}.values())

TRIALS = 12

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def rng(case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(str(case).encode()))


def tensors(values: list[np.ndarray]) -> list[torch.Tensor]:
    return [torch.tensor(value) for value in values]


def test_every_primitive_has_a_case() -> None:
    assert list(without_case(all_primitives().values(), CASES)) == []


def test_a_primitive_without_a_case_is_found() -> None:
    @record
    class Uncovered(Dropout):
        name = "uncovered"

    assert list(without_case([*all_primitives().values(), Uncovered], CASES)) == ["uncovered"]


@pytest.mark.parametrize("op", all_primitives().values(), ids=all_primitives())
def test_every_primitive_has_a_reference_page(op: type) -> None:
    assert op.__doc__ and not op.__doc__.startswith(f"{op.__name__}(")


@every_case
def test_inferred_types_are_those_of_the_emitted_code(case: Case, rng: np.random.Generator) -> None:
    module = module_of(case, case.parameters(rng))
    results = module(*tensors(case.values(rng)))
    dtypes = {
        DType.FLOAT: torch.float64,
        DType.BOOL: torch.bool,
        DType.INT64: torch.int64,
        DType.INT32: torch.int32,
        DType.INT8: torch.int8,
    }
    found = [(tuple(result.shape), result.dtype) for result in results]
    assert found == [(case.shape(type_), dtypes[type_.dtype]) for type_ in case.outputs]


@every_case
def test_flops_are_those_that_torch_counts(case: Case, rng: np.random.Generator) -> None:
    """The counter counts products, convolutions and attention, and nothing else; of the fused kernel not even that."""
    module = module_of(case, case.parameters(rng))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*tensors(case.values(rng)))
    assert case.op.flops(case.inputs, case.outputs).value(case.sizes) == counter.get_total_flops()


@every_case
def test_emitted_code_computes_the_reference(case: Case, rng: np.random.Generator) -> None:
    parameters, values = case.parameters(rng), case.values(rng)
    expected = case.op.reference(values, parameters, case.sizes)
    for inline in (False, True):
        results = module_of(case, parameters, inline=inline)(*tensors(values))
        for found, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-10, atol=1e-10)


@every_case
def test_what_draws_in_training_depends_on_the_seed(case: Case, rng: np.random.Generator) -> None:
    module = module_of(case, case.parameters(rng)).train()

    def drawn(seed: int, values: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(seed)
        return module(*values)

    # With few operands nothing may be dropped, or all be hidden by a mask.
    trials = [tensors(case.values(rng)) for _ in range(20 if case.op.draws else 1)]
    pairs = (zip(drawn(0, values), drawn(1, values), strict=True) for values in trials)
    same = all(torch.equal(a, b) for pair in pairs for a, b in pair)
    assert same is not case.op.draws


@pytest.mark.parametrize("case", [case for case in CASES if case.op.parameters(*case.inputs)], ids=str)
def test_parameters_that_choose_are_those_without_a_gradient(case: Case, rng: np.random.Generator) -> None:
    module = module_of(case, case.parameters(rng), inline=True)
    results = module(*tensors(case.values(rng)))
    # Some ops have a gradient of nothing.
    nothing = torch.zeros((), dtype=torch.float64, requires_grad=True)
    sum((one.sum() for one in results if one.requires_grad), nothing).backward()
    found = {name.rpartition(".")[2] for name, one in module.named_parameters() if one.grad is None}
    declared = case.op.parameters(*case.inputs)
    assert found == {name for name, one in declared.items() if one.chooses}


@pytest.mark.parametrize("case", WITH_LAYER, ids=str)
def test_the_layer_computes_the_reference(case: Case, rng: np.random.Generator) -> None:
    parameters, values = case.parameters(rng), case.values(rng)
    layer = layer_of(case, parameters)
    assert layer is not None
    (expected,) = case.op.reference(values, parameters, case.sizes)
    np.testing.assert_allclose(layer(*tensors(values)).detach().numpy(), expected, rtol=1e-10, atol=1e-10)


@every_case
def test_reads_is_what_perturbation_finds(case: Case, rng: np.random.Generator) -> None:
    reads = case.op.reads(case.inputs, case.outputs)
    assert [len(row) for row in reads] == [len(case.inputs)] * len(case.outputs)
    carry_data = [type_.dtype != DType.FLOAT for type_ in case.inputs]
    for operand, carries_data in enumerate(carry_data):
        trials = [trial(case, operand, rng)]
        # Where all is declared to be read, a trial that reads less shows all that more trials of a float could show.
        is_told = not carries_data and all(row[operand] == EVERYTHING for row in reads) and not equal(*trials[0])
        trials += [trial(case, operand, rng) for _ in range(TRIALS - 1 if any(carry_data) and not is_told else 0)]
        if carries_data:
            # What is read of an operand that carries data shows only over several values of the operand itself.
            trials = [tuple(union(matrices) for matrices in zip(*trials, strict=True))]
        compare(case, operand, trials)


Matrices = list[np.ndarray]


def trial(case: Case, operand: int, rng: np.random.Generator) -> tuple[Matrices, Matrices]:
    """What `reads` declares and what a change reaches, output by output, for operands drawn anew."""
    parameters, values = case.parameters(rng), case.values(rng)
    function = partial(case.op.reference, parameters=parameters, sizes=case.sizes)
    return relations(case, operand, values), dependence(case, function, operand, values, rng)


def relations(case: Case, operand: int, values: Matrices) -> Matrices:
    """What `reads` declares, output by output."""
    sizes = (case.factors(case.inputs[operand]), dict(enumerate(values)), case.sizes)
    rows = zip(case.op.reads(case.inputs, case.outputs), case.outputs, strict=True)
    return [matrix(row[operand], case.factors(type_), *sizes) for row, type_ in rows]


def equal(declared: Matrices, found: Matrices) -> bool:
    """Whether a change reaches, in every output, all that `reads` declares."""
    return all((one == other).all() for one, other in zip(declared, found, strict=True))


def union(matrices: Iterable[Matrices]) -> Matrices:
    """Output by output, what any of the trials has."""
    return [np.logical_or.reduce(each) for each in zip(*matrices, strict=True)]


def compare(case: Case, operand: int, trials: Iterable[tuple[Matrices, Matrices]]) -> None:
    pairs = [pair for declared, found in trials for pair in zip(declared, found, strict=True)]
    for declared, found in pairs:
        assert not (found & ~declared).any(), f"operand {operand} is read where `reads` does not say so"
    exact = all((declared == found).all() for declared, found in pairs)
    assert exact == (operand not in case.loose), f"operand {operand}: exact is {exact}"
    assert exact or case.op.loose(case.inputs).get(operand), "an inexact `reads` says why"


@pytest.mark.parametrize("case", [case for case in CASES if case.op.reaches(case.inputs)], ids=str)
def test_reaches_are_the_ends_of_what_is_read(case: Case, rng: np.random.Generator) -> None:
    for operand, coordinates in case.op.reaches(case.inputs).items():
        factors = case.factors(case.inputs[operand])
        for declared, found in zip(*trial(case, operand, rng), strict=True):
            for coordinate in coordinates:
                place = np.indices(factors)[coordinate].ravel()
                assert longest(declared, place) == longest(found, place)


def longest(pairs: np.ndarray, place: np.ndarray) -> int:
    """The largest distance of two positions of an operand that one position of a result reads."""
    rows = pairs.reshape(-1, place.size)
    return max((int(np.ptp(place[row])) for row in rows if row.any()), default=0)


@every_case
def test_emitted_code_runs_on_the_meta_device(case: Case, rng: np.random.Generator) -> None:
    module = module_of(case, case.parameters(rng)).to("meta")
    results = module(*(x.to("meta") for x in tensors(case.values(rng))))
    found = [(tuple(result.shape), result.device.type) for result in results]
    assert found == [(case.shape(type_), "meta") for type_ in case.outputs]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@every_case
def test_emitted_code_keeps_half_precision(case: Case, dtype: torch.dtype, rng: np.random.Generator) -> None:
    parameters, values = case.parameters(rng), case.values(rng)
    expected = case.op.reference(values, parameters, case.sizes)
    lowered = [x.to(dtype) if x.is_floating_point() else x for x in tensors(values)]
    for found, wanted in zip(module_of(case, parameters).to(dtype)(*lowered), expected, strict=True):
        if wanted.dtype == np.float64:
            assert found.dtype == dtype
            np.testing.assert_allclose(found.double().detach().numpy(), wanted, rtol=0.06, atol=0.15)


@pytest.mark.parametrize("case", EXPORTED, ids=str)
def test_emitted_code_exports_with_dynamic_sizes(case: Case, rng: np.random.Generator) -> None:
    parameters, values = case.parameters(rng), case.values(rng)
    dims: dict[str, object] = {}
    for symbol in sorted({s for type_ in case.inputs for dim in type_.shape for s in dim.symbols()}, key=str):
        low, high = symbol.bounds()
        dims[symbol.name] = symbol.multiple * torch.export.Dim(symbol.name, min=low, max=high)
    shapes = tuple({k: dims[str(d)] for k, d in enumerate(t.shape) if str(d) in dims} for t in case.inputs)
    program = torch.export.export(
        module_of(case, parameters), tuple(tensors(values)), dynamic_shapes={f"x{n}": s for n, s in enumerate(shapes)}
    )
    larger = {name: size + 2 for name, size in case.sizes.items()}
    other = Case(op=case.op, inputs=case.inputs, sizes=larger)
    again = other.values(rng)
    expected = case.op.reference(again, parameters, larger)
    for found, wanted in zip(program.module()(*tensors(again)), expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-10, atol=1e-10)
