"""When rows end: after a number of new ids, or with an end id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.decoding.numbers import is_whole, short, whole
from archspec.decoding.plan import GenerationPlan
from archspec.diagnostics import Collector, fail
from archspec.record import record


@record
class Ending:
    """Rows end with an end id of the spec or one of `stop`, after `min_new` new ids at least and `max_new` at most.

    Raises SpecError E744 with all invalid values.
    """

    max_new: int
    min_new: int = 0
    stop: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        found = Collector()
        sound = [whole(name, getattr(self, name), found) for name in ("max_new", "min_new")]
        # The comparisons below need numbers, so other types are reported first.
        if not all(sound):
            found.raise_if_errors()
        if self.max_new < 1:
            found.error("E744", f"`max_new` must be at least 1, got {self.max_new}", None)
        elif not 0 <= self.min_new <= self.max_new:
            found.error("E744", f"`min_new` must be from 0 to `max_new`, {self.max_new}, got {self.min_new}", None)
        found.raise_if_errors()

    def ends(self, plan: GenerationPlan) -> frozenset[int]:
        """The ids that end a row. Raises SpecError E744 if before `min_new` ids these and `ban` exclude every id."""
        ends = frozenset({*plan.decode.end, *self.stop})
        # A reduced copy has fewer ids than `decode` may name.
        if self.min_new > 0 and sum(id < plan.vocab for id in ends.union(plan.decode.ban)) == plan.vocab:
            message = f"`min_new` is {self.min_new}, but each of the {plan.vocab} ids ends a row or is banned"
            fail("E744", message, None, help="set `min_new` to 0, or give fewer ids as `stop`")
        return ends


def read_stop(plan: GenerationPlan, stop: Any) -> tuple[int, ...]:
    """The ids of an option `stop`. Raises SpecError E744 for what is no list, and for each that is no id of a logit."""
    given = stop.tolist() if hasattr(stop, "tolist") else stop
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        fail("E744", f"`stop` must be a list of ids, got {short(stop)}", None)
    ids, found = tuple(given), Collector()
    for id in ids:
        if not (is_whole(id) and 0 <= id < plan.vocab):
            found.error("E744", f"`stop` must be ids of 0 to {plan.vocab - 1}, got {id}", None)
    found.raise_if_errors()
    return ids
