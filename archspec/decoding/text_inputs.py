"""Inputs that are text, such as the source of an encoder-decoder, as ids and validity that fit a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archspec.analyses.size_use import counts_positions
from archspec.decoding.plan import GenerationPlan, at_least
from archspec.decoding.proofs import Proofs
from archspec.decoding.tokenizer import Tokenizer
from archspec.diagnostics import fail
from archspec.ir.types import DType


def has_text(inputs: Mapping[str, Any] | None) -> bool:
    """Whether one of the inputs is text."""
    # What is no map is refused with the other inputs.
    return isinstance(inputs, Mapping) and any(_texts(one) is not None for one in inputs.values())


def with_ids(tokenizer: Tokenizer, plan: GenerationPlan, inputs: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The inputs with ids in place of texts, a row for each, with the special tokens that the tokenizer adds.

    Rows are padded at the right where this is exact, and the bool input over the same positions says where, unless it
    is given. Raises SpecError E713 for text that is not Unicode or stands for another input, E745 for texts that cannot
    be padded.
    """
    if not isinstance(inputs, Mapping):
        return inputs
    found = dict(inputs)
    for name, given in inputs.items():
        texts = _texts(given)
        if texts is not None and name in plan.spec.inputs:
            found |= _padded(plan, name, [tokenizer.encode(text) for text in texts], found)
    return found


def source_of(plan: GenerationPlan) -> str:
    """The input that a text can be given for beside the prompt: the only one of ids. Raises SpecError E745."""
    own = plan.growing.names | {plan.decode.input}
    found = [name for name in plan.spec.inputs if name not in own and _is_ids(plan, name)]
    if len(found) != 1:
        message = "no input takes a source" if not found else f"{', '.join(found)} all take a source"
        fail("E745", message, None, help="give the inputs by name: `--inputs source.npz`, in Python `inputs=`")
    return found[0]


def _texts(given: Any) -> list[str] | None:
    """The texts of rows; None for anything else."""
    if isinstance(given, str):
        return [given]
    is_list = isinstance(given, (list, tuple)) and bool(given) and all(isinstance(one, str) for one in given)
    return list(given) if is_list else None


def _is_ids(plan: GenerationPlan, name: str) -> bool:
    """Whether an input has integers over rows and positions."""
    type, rows = plan.spec.inputs[name].type, plan.spec.inputs[plan.decode.input].type.shape[0]
    return type.dtype in (DType.INT64, DType.INT32) and type.rank == 2 and type.shape[0] == rows


def _padded(plan: GenerationPlan, name: str, rows: Sequence[list[int]], given: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of an input, and what says which of them are valid."""
    if not _is_ids(plan, name) or not all(rows):
        message = f"`{name}` takes no text: it is {plan.spec.inputs[name].type}"
        fail("E713", message if all(rows) else f"a text for `{name}` is empty", None)
    size = plan.spec.inputs[name].type.shape[1]
    symbols = tuple(size.symbols())
    longest = max(map(len, rows))
    least = at_least(symbols[0], longest) if len(symbols) == 1 else size.constant or longest
    # What is too long is refused with the other inputs.
    width = max(least, longest)
    if any(len(row) != width for row in rows):
        _check_padding(plan, name, given)
    counts = np.array([len(row) for row in rows])
    ids = np.array([[*row, *[0] * (width - len(row))] for row in rows])
    valid = _valid_of(plan, name)
    masks = {} if valid is None or valid in given else {valid: np.arange(ids.shape[1]) < counts[:, None]}
    return {name: ids.astype(plan.spec.inputs[name].type.dtype.value), **masks}


def _valid_of(plan: GenerationPlan, name: str) -> str | None:
    """The bool input over the positions of an input of ids; None if there is none, or several."""
    shape = plan.spec.inputs[name].type.shape
    found = [
        other
        for other, one in plan.spec.inputs.items()
        if one.type.dtype is DType.BOOL and one.type.shape == shape and one.padding != "left"
    ]
    return found[0] if len(found) == 1 else None


def _check_padding(plan: GenerationPlan, name: str, given: Mapping[str, Any]) -> None:
    """Raise SpecError E745 unless it is proved that padding at the right of an input does not matter."""
    valid = _valid_of(plan, name)
    help = "give texts of one length, or ids and their validity"
    if valid is None or valid in given:
        reason = "no input says which positions are valid" if valid is None else f"`{valid}` is given"
        fail("E745", f"texts for `{name}` cannot be padded to one length: {reason}", None, help=help)
    counted = any(counts_positions(plan.spec.graph, one) for one in plan.spec.inputs[name].type.shape[1].symbols())
    if counted or not Proofs(plan.spec, plan.decode).ignores_unless(valid, name):
        message = f"texts for `{name}` cannot be padded to one length: the padding is not proved to be ignored"
        fail("E745", message, None, help=help)
