"""The methods `new_cache` and `step` of a module, emitted or written by a user, as steps of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from archspec.contract.protocol import Subject
from archspec.contract.torch_module import TorchRunner, array_of
from archspec.diagnostics import SpecError, fail
from archspec.ir.graph import Value
from archspec.lower.cached import STEP, Cached
from archspec.lower.emission import cached
from archspec.model.runner import Array, Arrays
from archspec.spec.claims import Claims


def with_steps(subject: Subject, claims: Claims) -> Subject:
    """A subject with its steps, if it is a module that has the methods of an emitted decoder and the spec decodes."""
    spec, runner = claims.spec, subject.runner
    if spec is None or not isinstance(runner, TorchRunner) or not _has_steps(runner.model):
        return subject
    made = cached(spec, {name: one.default for name, one in spec.inputs.items() if one.default is not None})
    if made is None:
        return subject
    exact = ModuleSteps(subject.exact, made) if isinstance(subject.exact, TorchRunner) else None
    return replace(subject, steps=ModuleSteps(runner, made), exact_steps=exact)


def _has_steps(model: object) -> bool:
    return isinstance(model, nn.Module) and all(callable(getattr(model, name, None)) for name in ("new_cache", STEP))


class ModuleSteps:
    """Runs `new_cache` and `step` with the arguments of an emitted module.

    Inputs without a default are passed by position, in the order of the spec, those of `new_cache` after rows and
    capacity, those of `step` before cache and counts; the others are the last arguments, passed by keyword.

    Args:
        runner: a runner of the module.
        made: what the cached step of the spec is made from.
    """

    model: Any

    def __init__(self, runner: TorchRunner, made: Cached) -> None:
        self.runner = runner
        self.made = made
        self.model = runner.model
        self._given = self._parted(made.given, self.model.new_cache)
        self._fed = self._parted(made.fed, self.model.step)

    def start(self, rows: int, capacity: int, given: Arrays) -> Any:
        """What `new_cache` returns."""
        required, optional = self._given
        tensors = self.runner.tensors({name: given[name] for name in [*required, *optional]})
        more = {own: tensors[name] for name, own in optional.items()}
        return self._called(self.model.new_cache, rows, capacity, *(tensors[name] for name in required), **more)

    def step(self, state: Any, fed: Arrays, counts: Array) -> tuple[Array, Any]:
        """What `step` returns; counts are left out where all new entries are a row's own, as callers may do."""
        required, optional = self._fed
        tensors = self.runner.tensors({name: fed[name] for name in [*required, *optional]})
        more = {own: tensors[name] for name, own in optional.items()}
        new = fed[self.made.source].shape[1]
        own = [] if (counts == new).all() else [torch.from_numpy(counts)]
        found = self._called(self.model.step, *(tensors[name] for name in required), state, *own, **more)
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Tensor):
            fail("E730", "`step` returns no pair of output and cache", None, help="return `(logits, cache)`")
        return array_of(found[0]), found[1]

    def restart(self, state: Any, rows: Sequence[int], given: Arrays) -> Any:
        """The cache with counts of 0 for some rows, and their part of what is made once; None for another cache."""
        once = self._once()
        if once is None or not hasattr(state, "_replace") or any(not hasattr(state, one) for one in ("past", *once)):
            return None
        places = torch.tensor(list(rows))
        changed = {"past": state.past.index_fill(0, places, 0)}
        # Only what is made once is taken of it, so its buffers may be small.
        fresh = self.start(len(state.past), 1, given) if once else state
        for field, axis in once.items():
            part = getattr(fresh, field).index_select(axis, places)
            changed[field] = getattr(state, field).index_copy(axis, places, part)
        return state._replace(**changed)

    def _once(self) -> dict[str, int] | None:
        """The fields of the cache that steps do not change, with the axis of rows; None where rows have no axis."""
        made, rows = self.made, self.made.found.rows
        fields = {made.field_of(value): (value.type, 0) for value in made.held}
        fields |= {made.fields[one.name]: (one.type, one.layers) for one in made.found.state if one.kind == "once"}
        found = {}
        for field, (type_, first) in fields.items():
            axes = [axis for axis, size in enumerate(type_.shape) if size.symbols() & rows.symbols() or size == rows]
            if axes and axes[0] >= first and type_.shape[axes[0]] == rows:
                found[field] = axes[0]
            elif axes:
                return None
        return found

    def _parted(self, values: Sequence[Value], method: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, str]]:
        """The inputs that are passed by position, and the keywords of the others."""
        names = [value.name for value in values]
        optional = [name for name in names if name in self.made.defaults]
        known = list(signature(method).parameters)
        last = known[len(known) - len(optional) :]
        by_name = all(name in known for name in optional)
        keywords = dict(zip(optional, optional if by_name else last, strict=True))
        return tuple(name for name in names if name not in keywords), keywords

    def _called(self, method: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Call a method without gradients. Raises SpecError E731 if it fails."""
        try:
            with torch.no_grad():
                return method(*arguments, **more)
        except SpecError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            notes = [f"{type(error).__name__}: {line}" for line in str(error).strip().splitlines()[:3]]
            fail("E731", f"`{method.__name__}` of the model fails", None, notes=notes)
