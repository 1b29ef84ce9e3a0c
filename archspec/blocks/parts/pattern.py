"""The field `pattern`: the kind of each layer."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from archspec.diagnostics import Diagnostic, did_you_mean, fail
from archspec.ir.repeat import Schedule
from archspec.schema.model import Model
from archspec.schema.reading import Items
from archspec.schema.words import NameField, Word
from archspec.text.nodes import ListNode, Node


class PatternFields(Model):
    """Kinds of layers: a list that is repeated and cut to fill the layers, or parts that fill them exactly."""

    start: list[NameField] = Field(default=[], description="kinds of the first layers")
    repeat: list[NameField] = Field(default=[], description="kinds that are repeated in between")
    end: list[NameField] = Field(default=[], description="kinds of the last layers")
    cut: SkipJsonSchema[bool] = Field(default=False, description="whether the last repetition may be cut short")

    @classmethod
    def keys(cls) -> list[str]:
        """The fields that a user may write."""
        return ["start", "repeat", "end"]

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        if isinstance(node, ListNode):
            return {"repeat": Items(node), "cut": True}
        return super()._data(node, found)

    @property
    def names(self) -> tuple[Word, ...]:
        """All names in the pattern, in order, with repeats."""
        return (*self.start, *self.repeat, *self.end)


def schedule(fields: PatternFields, kinds: Sequence[str], layers: int) -> tuple[Schedule, tuple[str, ...]]:
    """The schedule of a pattern over `layers` layers, and the kinds that it runs, in the order of its numbers.

    A kind that no layer has, because there are too few layers, is left out. Raises SpecError E245 if the pattern names
    an unknown kind, does not name all kinds, or does not fill the layers.
    """
    _check_names(fields, kinds)
    parts = [[word.text for word in part] for part in (fields.start, fields.repeat, fields.end)]
    start, repeat, end = parts
    if fields.cut:
        times, rest = divmod(layers, len(repeat)) if repeat else (0, 0)
        end = repeat[:rest]
    else:
        times, rest = divmod(layers - len(start) - len(end), len(repeat)) if repeat else (0, layers - len(start + end))
    if times < 0 or (rest and not fields.cut) or (layers and not any(parts)):
        _does_not_fill(fields, layers)
    # A kind that no layer has would be a body without calls, so it is left out and the others are renumbered.
    used = [kind for kind in kinds if kind in {*start, *end, *(repeat if times else ())}]
    start_, repeat_, end_ = (tuple(used.index(kind) for kind in part if kind in used) for part in (start, repeat, end))
    return Schedule(start=start_, repeat=repeat_ if times else (), times=times, end=end_), tuple(used)


def _check_names(fields: PatternFields, kinds: Sequence[str]) -> None:
    """Raise SpecError E245 if the pattern names an unknown kind or does not name every kind."""
    for word in fields.names:
        if word.text not in kinds:
            fail("E245", f"unknown kind `{word}`", word.span, help=did_you_mean(word.text, kinds, kind="kinds"))
    idle = [kind for kind in kinds if kind not in {word.text for word in fields.names}]
    if idle:
        fail(
            "E245",
            f"kind `{idle[0]}` is not in the pattern",
            fields.at,
            help="add it to the pattern, or remove the kind",
        )


def _does_not_fill(fields: PatternFields, layers: int) -> None:
    """Raise SpecError E245 with the numbers of layers that the pattern can fill."""
    fail(
        "E245",
        f"the pattern does not fill {layers} layers: "
        f"{len(fields.start)} + {len(fields.repeat)} * n + {len(fields.end)}",
        fields.at,
        help="change the number of layers, or write a plain list, which is truncated to the number of layers",
    )
