"""When rows end: after a number of new ids, or with an end id."""

from __future__ import annotations

from archspec.decoding.numbers import is_whole, whole
from archspec.decoding.plan import GenerationPlan
from archspec.diagnostics import Collector
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
        if not all(sound):
            found.raise_if_errors()
        if self.max_new < 1:
            found.error("E744", f"`max_new` must be at least 1, got {self.max_new}", None)
        elif not 0 <= self.min_new <= self.max_new:
            found.error("E744", f"`min_new` must be from 0 to `max_new`, {self.max_new}, got {self.min_new}", None)
        found.raise_if_errors()

    def ends(self, plan: GenerationPlan) -> frozenset[int]:
        """The ids that end a row. Raises SpecError E744 for each of `stop` that is not below the number of logits."""
        count = plan.vocab
        found = Collector()
        for id in self.stop:
            if not (is_whole(id) and 0 <= id < count):
                found.error("E744", f"`stop` must be ids of 0 to {count - 1}, got {id}", None)
        found.raise_if_errors()
        return frozenset({*plan.decode.end, *self.stop})
