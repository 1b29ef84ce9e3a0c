"""Prompts and inputs of a caller, checked and converted before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.decoding.numbers import is_whole, short
from archspec.decoding.plan import GenerationPlan
from archspec.decoding.prefixes import check_prefixes
from archspec.decoding.rows import block
from archspec.diagnostics import Collector, fail
from archspec.model.inputs import as_arrays, prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Sequences = list[list[int]]


def read_prompts(plan: GenerationPlan, prompts: Any, inputs: Mapping[str, Array], max_new: int) -> Sequences:
    """The sequences that generation starts from: for each row the start id, if there is one, and the prompt.

    Args:
        plan: the plan of the generation.
        prompts: a list of ids, a list of lists, an array or a tensor; None for empty prompts, one per input row.
        inputs: the other inputs, which give the number of rows if `prompts` is None.
        max_new: the maximum number of new ids per row.

    Raises:
        SpecError: E713 for prompts that are not ids, E718 for an id beyond the integers of the input, E741 for a row
            without any id, E742 for a row that would become too long or cannot grow.
    """
    start = [] if plan.decode.start is None else [plan.decode.start]
    given: Sequences = [[] for _ in range(_rows(plan, inputs))] if prompts is None else _lists(prompts)
    sequences = [start + row for row in given]
    found = Collector()
    for number, row in enumerate(sequences):
        _check_ids(plan, number, row, found)
        _check_length(plan, number, row, max_new, found)
    found.raise_if_errors()
    return sequences


def read_prompt(plan: GenerationPlan, prompt: Any, max_new: int) -> list[int]:
    """The sequence that one row starts from. Raises SpecError as `read_prompts` does."""
    ids = prompt.tolist() if hasattr(prompt, "tolist") else prompt
    if not isinstance(ids, Sequence):
        fail("E713", f"the prompt must be a list of ids, got {short(prompt)}", None)
    (sequence,) = read_prompts(plan, [ids], {}, max_new)
    return sequence


def _lists(prompts: Any) -> Sequences:
    """Prompts as lists of ids; a single list of ids is one row. Raises SpecError E713."""
    rows = prompts.tolist() if hasattr(prompts, "tolist") else prompts
    # Sets and maps have no order of ids, and text has characters.
    if isinstance(rows, (str, bytes, Mapping, Set)) or not isinstance(rows, Iterable):
        help = "give a list of integers for each row"
        fail("E713", f"prompts must be lists of ids, got {short(prompts)}", None, help=help)
    rows = list(rows)
    # A flat list of ids is one prompt.
    if rows and all(isinstance(one, (int, np.integer)) for one in rows):
        rows = [rows]
    result: Sequences = []
    for number, row in enumerate(rows):
        ids = row.tolist() if hasattr(row, "tolist") else row
        if not isinstance(ids, Sequence) or isinstance(ids, (str, bytes)) or not all(map(is_whole, ids)):
            help = "give a list of integers for each row"
            fail("E713", f"prompt {number} must be a list of ids, got {short(row)}", None, help=help)
        result.append([int(one) for one in ids])
    return result


def _rows(plan: GenerationPlan, inputs: Mapping[str, Array]) -> int:
    """The number of rows of the other inputs; the fixed size of the batch, or 1, if none of them is led by it."""
    rows = plan.spec.inputs[plan.decode.input].type.shape[0]
    for name, array in inputs.items():
        if name in plan.spec.inputs and array.ndim and plan.spec.inputs[name].type.shape[:1] == (rows,):
            return int(array.shape[0])
    return rows.constant or 1


def _check_ids(plan: GenerationPlan, number: int, row: Sequence[int], found: Collector) -> None:
    """Report E718 for an id that the dtype of the input cannot hold; the range of the others is checked with the rest.

    Converted, such an id would become another one.
    """
    limits = np.iinfo(_integer(plan, plan.decode.input))
    for id in row:
        if not limits.min <= id <= limits.max:
            found.error("E718", f"prompt {number} has the id {id}, expected 0 to {plan.vocab - 1}", None)


def _check_length(plan: GenerationPlan, number: int, row: Sequence[int], max_new: int, found: Collector) -> None:
    """Report E741 for an empty row, and E742 for one that becomes too long or cannot grow by one position."""
    if not row:
        help = "give at least one id, or a `start` in the spec's `decode`"
        found.error("E741", f"prompt {number} is empty and the spec has no start id", None, help=help)
    # The last id is chosen and never fed.
    fed = len(row) + max_new - 1
    if fed > plan.most:
        message = f"row {number} needs {fed} positions, but `{plan.decode.input}` takes at most {plan.most}"
        notes = [f"the row starts with {len(row)} ids and {max_new} are requested; the last one is not fed back"]
        room = plan.most - len(row) + 1
        help = f"generate at most {room}" if room > 0 else f"shorten the prompt by {1 - room} or more"
        found.error("E742", message, None, notes=notes, help=help)
    if plan.side == "none" and plan.length is not None and plan.length.multiple > 1 and max_new > 1:
        message = f"`{plan.length.name}` is a multiple of {plan.length.multiple}, so sequences cannot grow one by one"
        notes = ["the results depend on the number of positions, so rows cannot be padded to an admitted size"]
        found.error("E742", message, None, notes=notes)


def prepared(plan: GenerationPlan, sequences: Sequences, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs that do not grow, with defaults, after all inputs were checked together with the sequences.

    Raises:
        SpecError: E711 to E720 with all errors, E742 for a row that is shorter than its prefix, E745 for an input that
            generation fills in itself.
    """
    own = plan.growing.names | {plan.decode.input}
    _check_other(plan, [name for name in inputs if name in own])
    width = plan.admitted(max((len(row) for row in sequences), default=1))
    first = block(sequences, width, plan.side)
    grown: dict[str, Array] = {plan.decode.input: first.ids.astype(_integer(plan, plan.decode.input))}
    if plan.growing.valid is not None:
        # Where only equal lengths run together there is no padding at all.
        grown[plan.growing.valid] = first.valid if plan.side != "none" else np.ones_like(first.valid)
    for name in plan.growing.positions:
        grown[name] = first.positions.astype(_integer(plan, name))
    made = prepare(plan.interface, {**inputs, **grown}, "float32")
    found = Collector()
    check_prefixes(plan.prefixes, sequences, made, found)
    found.raise_if_errors()
    return {name: array for name, array in made.items() if name not in own}


def _check_other(plan: GenerationPlan, names: Sequence[str]) -> None:
    """Raise SpecError with an E745 for each of these inputs, which generation fills in itself."""
    found = Collector()
    for name in names:
        help = f"leave `{name}` out of the inputs"
        if name == plan.decode.input:
            help += "; what a row begins with is its prompt: `--prompt-ids`, in Python `prompts`"
        found.error("E745", f"`{name}` is filled in by generation", None, help=help)
    found.raise_if_errors()


def _integer(plan: GenerationPlan, name: str) -> str:
    return plan.spec.inputs[name].type.dtype.value


def read_inputs(inputs: Mapping[str, Any] | None) -> dict[str, Array]:
    """Arrays by name, from arrays, tensors or lists. Raises SpecError E711 or E713 for what is none."""
    found = Collector()
    arrays = as_arrays({} if inputs is None else inputs, found)
    found.raise_if_errors()
    return arrays
