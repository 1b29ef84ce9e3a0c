"""What is asked for of quantised weights, values and caches, as what is rounded of a spec."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.bundle.bundled_spec import read_plan
from archspec.bundle.evaluating import read_limits
from archspec.bundle.quantising import Quantisation, Quantising
from archspec.bundle.rows import rows_of
from archspec.bundle.triton import Layout
from archspec.bundle.weights import Weights
from archspec.diagnostics import Collector, fail
from archspec.engines.engine import Target
from archspec.engines.opening import rounds
from archspec.engines.registry import engine_of
from archspec.ir.graph import Graph
from archspec.model.archives import read_arrays
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName, interface_of
from archspec.quantising.activations import Grids, grids_of, planned_grids, read_grids
from archspec.quantising.formats import FLOATING, STORED
from archspec.quantising.given import GivenIntegers, given_integers
from archspec.quantising.plan import Plan, free_paths, plan_of, planned, read_wishes, written
from archspec.quantising.spec import check_kept
from archspec.spec.files import is_file


def read_wish(given: str | Sequence[str] | Quantisation) -> Quantisation:
    """What is asked for, of which formats may be given alone: one, or several."""
    if isinstance(given, Quantisation):
        return given
    # A text is a sequence of texts to Python, and would be read character by character.
    return Quantisation(formats=(given,) if isinstance(given, str) else tuple(given))


def quantising_of(
    checked: Checked, wish: Quantisation, weights: Weights, weights_layout: str | None
) -> Quantising | None:
    """What is rounded of a spec; None for floats.

    Raises SpecError E630 to E635, E703 for a file of inputs, and those of `given_integers`.
    """
    if not wish.asks:
        if wish.unused:
            help = "give `--quantise int8` too, or for a decoder's cache `--kv-cache int8`"
            fail("E632", f"{wish.unused} is given without anything to round", None, help=help)
        return None
    if wish.file is None and any(text.endswith(".json") for text in wish.formats):
        message = "a plan in a file is combined with other formats, or with nodes to keep"
        fail("E632", message, None, help="give the file alone, or formats alone")
    limits = _limits(wish)
    found = _given(checked, wish, weights, weights_layout)
    plan = _plan(checked.spec.graph, wish, found)
    # Between bytes and floats, a size chooses among integers.
    if wish.size is not None and any(one.floating for one in plan.values()):
        fail("E632", f"a size is given with `{FLOATING}`", None, help="ask for integers, or leave the size out")
    wishes = () if wish.file is not None else read_wishes(wish.formats, wish.keep)
    grids, rounds_kept = _grids(checked.spec.graph, wish, plan), _rounds_kept(checked, wish)
    if wish.calibrate is not None and not grids and not rounds_kept:
        message = "inputs to calibrate on are given, and nothing is rounded at measured scales"
        fail("E632", message, None, help="leave `--calibrate` out")
    _check_inputs(checked, wish)
    return Quantising(
        floats=checked,
        plan=plan,
        grids=grids,
        rounds_kept=rounds_kept,
        given=found,
        data=wish.evaluate,
        inputs=wish.calibrate,
        at_most=limits,
        round_inputs=wish.round_inputs,
        size=wish.size,
        free=free_paths({path: one for path, one in plan.items() if path not in found}, wishes),
    )


def check_suited(
    quantising: Quantising | None, ranks: int | None, layout: Layout, targets: Sequence[Target], dtype: DTypeName
) -> None:
    """Check that everything that is asked for can hold what is rounded.

    Raises SpecError E632 for what is written from floats alone and for half precision, E603 for targets that cannot
    compute with the numbers of the plan.
    """
    if quantising is None:
        return
    if ranks is not None or layout == "genai":
        what = "the layout `genai`" if ranks is None else "`--tensor`"
        fail("E632", f"quantised weights cannot be combined with {what}", None, help="leave one of the two out")
    if quantising.grids and dtype != "float32":
        message = f"rounded activations cannot be combined with {dtype}"
        fail("E632", message, None, help="build in float32, or leave `--activations` out")
    if quantising.round_inputs and not (quantising.plan and any(map(rounds, targets))):
        message = "inputs are to be rounded, and no target multiplies them with quantised weights so"
        fail("E632", message, None, help="leave `--round-inputs` out, or build for `onnx` or `openvino`")
    found = Collector()
    if FLOATING in {*quantising.grids.values(), *written(quantising.plan).values()}:
        for target in targets:
            with found.catching():
                engine_of(target).check_eights(target)
    found.raise_if_errors()
    if quantising.rounds_kept:
        _check_kept(targets, layout, dtype)


def _check_kept(targets: Sequence[Target], layout: Layout, dtype: DTypeName) -> None:
    """Raise SpecError E632 for what keeps no integers."""
    floats = [target.engine for target in targets if not engine_of(target).keeps_integers]
    what = f"`{floats[0]}`" if floats else "the layout `triton`" if layout == "triton" else dtype
    if floats or layout == "triton" or dtype != "float32":
        fail("E632", f"`--kv-cache` cannot be combined with {what}", None, help="leave one of the two out")


def _limits(wish: Quantisation) -> dict[str, float]:
    """The limits of the loss, once there is all that they are measured on. Raises SpecError E632, E635 or E703."""
    limits = read_limits(wish.at_most)
    if wish.evaluate is None and limits:
        fail("E632", "a limit of the loss is given without inputs to measure it on", None, help="give `--evaluate`")
    for file in (wish.evaluate, wish.calibrate):
        if file is not None and not is_file(file):
            fail("E703", f"cannot read {file}", None, notes=["no such file"])
    if wish.round_inputs and wish.evaluate is None:
        message = "inputs are to be rounded without any to measure on what that costs"
        fail("E632", message, None, help="give `--evaluate`")
    if wish.size is not None and wish.size <= 0:
        fail(
            "E636", f"no weights take {wish.size:,} bytes", None, help="give a size above zero, such as `--size 100MB`"
        )
    if wish.size is not None and not wish.formats:
        message = "a size is given without weights to quantise"
        fail("E632", message, None, help="give `--quantise int4:32` too, or leave the size out")
    if wish.size is not None and wish.evaluate is None:
        message = "a size is given without inputs to measure on which weights cost most"
        fail("E632", message, None, help="give `--evaluate`")
    return limits


def _check_inputs(checked: Checked, wish: Quantisation) -> None:
    """Check files of inputs before anything is built. Raises what `read_arrays` and `rows_of` do."""
    interface = interface_of(checked.spec)
    for file, called in ((wish.evaluate, "the inputs to evaluate on"), (wish.calibrate, "the inputs to calibrate on")):
        if file is not None:
            types = {port.name: port.type for port in interface.input_ports}
            deque(rows_of(interface, read_arrays(file, types, file.name), called), maxlen=0)


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
    """The plan of a file, or the one that formats ask for, if there are any. Raises SpecError E630 or E631."""
    if not wish.formats:
        return {}
    if wish.file is not None:
        return planned(graph, read_plan(wish.file).formats)
    held = {path: one.storage for path, one in given.items() if one.storage is not None}
    return plan_of(graph, read_wishes(wish.formats, wish.keep), held)


def _grids(graph: Graph, wish: Quantisation, plan: Plan) -> Grids:
    """What products read rounded.

    Raises SpecError E630 or E631, and E632 for another grid than that of a weight, or with nothing to calibrate on.
    """
    if wish.file is not None and not wish.activations:
        return planned_grids(graph, read_plan(wish.file).activations, plan)
    if bool(wish.activations or wish.kv_cache) != (wish.calibrate is not None):
        if wish.calibrate is not None:
            message, help = "`--calibrate` is given without a format", "give `--activations int8` or `--kv-cache int8`"
        else:
            one = "`--activations`" if wish.activations else "`--kv-cache`"
            message, help = f"{one} is given without inputs to calibrate on", "give `--calibrate inputs.npz`"
        fail("E632", message, None, help=help)
    return grids_of(graph, read_grids(wish.activations, wish.keep), plan) if wish.activations else {}


def _rounds_kept(checked: Checked, wish: Quantisation) -> bool:
    """Whether what the cached step keeps is rounded. Raises SpecError E748 without a step, E632 if it keeps nothing."""
    kept = read_plan(wish.file).kv_cache if wish.file is not None and wish.kv_cache is None else wish.kv_cache
    if kept is None:
        return False
    check_kept(checked.spec)
    return True
