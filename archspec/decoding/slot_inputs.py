"""The inputs that each request of slots gives once, such as the source of an encoder-decoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from archspec.decoding.feeding import Feeding
from archspec.decoding.numbers import short, whole
from archspec.decoding.plan import GenerationPlan
from archspec.decoding.prompts import Sequences, prepared, read_inputs
from archspec.diagnostics import Collector, fail
from archspec.ir.types import DType, TensorType
from archspec.model.ports import sizes_of
from archspec.spec.inputs import InputSpec


class SlotInputs:
    """Reads the inputs of requests. All requests have them in the `sizes` of the slots, by the names of dims."""

    def __init__(self, feeding: Feeding, sizes: Mapping[str, int]) -> None:
        """Raises SpecError E744 for sizes that are missing or of no dim, E745 for inputs that are not of rows."""
        self.plan: GenerationPlan = feeding.plan
        self._feeding, self._sizes = feeding, dict(sizes)
        own = self.plan.growing.names | {self.plan.decode.input}
        self._given = {name: one for name, one in self.plan.spec.inputs.items() if name not in own}
        self._of_slots: dict[str, int] = {}
        self._check()

    def first(self, rows: int) -> dict[str, Tensor]:
        """Tensors for the rows of an empty cache."""
        # They stand in for prompts, and a prompt covers its prefix.
        sequences = [[0] * max((1, *self.plan.prefixes.numbers))] * rows
        arrays = {name: self._stand_in(one.type, rows) for name, one in self._needed().items()}
        made = self._tensors(sequences, arrays)
        actual = sizes_of(self.plan.interface, made)
        self._of_slots = {name: actual[name] for name in self._names(self._given.values())}
        return made

    def of_request(self, sequence: Sequence[int], inputs: Mapping[str, Any] | None) -> dict[str, Tensor]:
        """Tensors for the least rows that the batch admits, all of one request; none if the spec has no such inputs.

        Raises SpecError E711 to E720 for inputs that do not fit the spec, E716 for those that do not fit the slots.
        """
        arrays = read_inputs(inputs)
        rows = self.plan.batch(1)
        led = {name for name, one in self._given.items() if name in arrays and self._is_of_rows(one.type)}
        for name in led:
            if arrays[name].ndim and len(arrays[name]) != 1:
                fail("E716", f"`{name}` has {len(arrays[name])} rows, and a request is one row", None)
        many = {name: np.repeat(one, rows, 0) if name in led and one.ndim else one for name, one in arrays.items()}
        made = self._tensors([list(sequence)] * rows, many)
        self._check_sizes(made)
        return made

    def _tensors(self, sequences: Sequences, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
        found = prepared(self.plan, sequences, arrays)
        return {name: self._feeding.tensor(array) for name, array in found.items()}

    def _needed(self) -> dict[str, InputSpec]:
        return {name: one for name, one in self._given.items() if one.default is None}

    def _stand_in(self, type: TensorType, rows: int) -> Any:
        """An input that no request gives: zeros; of validity ones, since a padding leaves at least one."""
        symbol = self.plan.rows
        sizes = {**self._sizes, **({} if symbol is None else {symbol.name: rows})}
        shape = [size.value(sizes) for size in type.shape]
        return (np.ones if type.dtype is DType.BOOL else np.zeros)(shape, type.dtype.value.replace("float", "float32"))

    def _is_of_rows(self, type: TensorType) -> bool:
        return type.rank > 0 and type.shape[0] == self.plan.spec.inputs[self.plan.decode.input].type.shape[0]

    def _names(self, inputs: Iterable[InputSpec]) -> set[str]:
        """The names of the dims of inputs, but that of the batch."""
        symbols = {one for port in inputs for size in port.type.shape for one in size.symbols()}
        return {one.name for one in symbols if one != self.plan.rows}

    def _check(self) -> None:
        found = Collector()
        for name in sorted(self._names(self._needed().values()) - self._sizes.keys()):
            message = f"`sizes` must have `{name}`, which inputs of the requests have"
            found.error("E744", message, None, help=f"give `sizes={{'{name}': ...}}`")
        for name in sorted(self._sizes.keys() - self._names(self._given.values())):
            found.error("E744", f"`sizes` has `{name}`, which is no dim of inputs that requests give", None)
        for name, one in self._needed().items():
            if not self._is_of_rows(one.type):
                message = f"`{name}` is not of rows, so that a request cannot have its own"
                found.error("E745", message, one.span, help="use `generate`")
        found.raise_if_errors()

    def _check_sizes(self, made: Mapping[str, Tensor]) -> None:
        actual = sizes_of(self.plan.interface, made)
        for name, size in self._of_slots.items():
            if actual[name] != size:
                message = f"`{name}` is {actual[name]} in the inputs of the request, and {size} in the slots"
                fail("E716", message, None, help="pad the inputs, or make slots of other `sizes`")


def check_slots(plan: GenerationPlan, rows: int, capacity: int, sizes: Mapping[str, int]) -> None:
    """Raise SpecError E744 for numbers that are not admitted; those of `sizes` are compared with the dims later."""
    if not isinstance(sizes, Mapping):
        fail("E744", f"`sizes` must be a map from names of dims to sizes, got {short(sizes)}", None)
    found = Collector()
    given = {"rows": rows, "capacity": capacity, **{f"sizes[{name}]": size for name, size in sizes.items()}}
    sound = [whole(name, value, found) for name, value in given.items()]
    if not all(sound):
        found.raise_if_errors()
    for name, size in sizes.items():
        if size < 0:
            found.error("E744", f"`sizes[{name}]` must not be negative, got {size}", None)
    most = plan.spec.inputs[plan.decode.input].type.shape[0].maximum()
    if rows < 1 or (most is not None and plan.batch(rows) > most):
        found.error("E744", f"`rows` must be from 1 to {most}, got {rows}", None)
    if not 1 <= capacity <= plan.most:
        found.error("E744", f"`capacity` must be from 1 to {plan.most}, got {capacity}", None)
    found.raise_if_errors()
