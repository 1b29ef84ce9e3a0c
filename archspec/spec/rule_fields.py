"""The fields that rules of every kind share; each kind adds its own fields in `rules/kinds`."""

from typing import Annotated, Any

from pydantic import Field

from archspec.schema.model import MAYBE, TWO, Model
from archspec.schema.sorts import PathField, PredField
from archspec.schema.words import AxisField

AxisPair = Annotated[Annotated[list[AxisField], TWO] | AxisField | None, MAYBE]
"""`axis: A` for both values, or `axis: [axis of output, axis of input]`."""
InputAxis = Annotated[AxisField | None, MAYBE]
OutputPositions = Annotated[PredField | None, MAYBE]


class RuleFields(Model):
    """What every rule names: a value, and one that it depends on."""

    output: PathField = Field(description="the value that depends")
    input: PathField = Field(description="the value on which it depends")


def axis_field() -> Any:
    """Declare the field `axis` of a rule that compares positions."""
    description = (
        "the axis whose positions are compared, or [axis of output, axis of input]; "
        "when left out, the axis whose size is a dim"
    )
    return Field(default=None, description=description)


def at_field(left_out: str = "all") -> Any:
    """Declare the field `at`, the output positions that a rule concerns; models name it `promised`.

    Its name differs because `at` is the span in every model. `left_out` says what holds without the field.
    """
    return Field(default=None, alias="at", description=f"output positions that the rule concerns; left out: {left_out}")


def input_axis_field(description: str) -> Any:
    """Declare the field `axis` of a rule about an axis of its input; the description is shown in the reference."""
    return Field(default=None, description=description)
