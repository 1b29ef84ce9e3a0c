"""Compute the networks of all ranks in step: at each exchange every rank is given what all of them have."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from torch import Tensor

from archspec.diagnostics import fail
from archspec.engines.network.execution import Exchange, Execution

_Running = Generator[Exchange, Sequence[Tensor], dict[str, Tensor]]
_Told = tuple[Exchange | None, dict[str, Tensor]]
_OPERATION = ("collective_operation", "reduce_op", "num_ranks")


def run_ranks(executions: Sequence[Execution], inputs: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the outputs of each rank by name, from tensors by input name that every rank is given.

    Raises SpecError E620 or E621 for the first layer that cannot be computed, and E621 where ranks do not exchange
    alike, so that some would wait for ever.
    """
    runs = [execution.exchanging(inputs) for execution in executions]
    told = [_next(run, None) for run in runs]
    while any(exchange is not None for exchange, _ in told):
        each = _met([exchange for exchange, _ in told])
        told = [_next(run, each) for run in runs]
    return [outputs for _, outputs in told]


def _next(run: _Running, each: Sequence[Tensor] | None) -> _Told:
    """Run a rank to its next exchange, or to the end."""
    try:
        return (next(run) if each is None else run.send(each)), {}
    except StopIteration as finished:
        return None, finished.value


def _met(exchanges: Sequence[Exchange | None]) -> list[Tensor]:
    """What all ranks have at an exchange. Raises SpecError E621 unless they meet at the same one."""
    said = [_said(exchange) for exchange in exchanges]
    if len(set(said)) > 1:
        notes = [f"rank {rank} {what}" for rank, what in enumerate(said)]
        fail("E621", "the networks of the ranks do not exchange alike", None, notes=notes)
    return [exchange.value for exchange in exchanges if exchange is not None]


def _said(exchange: Exchange | None) -> str:
    """Say which exchange a rank is at; ranks that may meet say the same."""
    if exchange is None:
        return "has ended"
    words = ", ".join(str(exchange.step.attributes.get(name)) for name in _OPERATION)
    return f"is at {words} of {exchange.value.dtype} {list(exchange.value.shape)}"
