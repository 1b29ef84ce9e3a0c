"""Which output of a model has scores of classes, and along which axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from archspec.analyses.made_axes import made_axes
from archspec.diagnostics import fail
from archspec.ir.types import DType, TensorType
from archspec.model.inputs import LABELS
from archspec.record import record
from archspec.spec import Spec

_LEAVE_OUT = "leave `--evaluate` out, and compare what the model is used for"


@record
class ClassScores:
    """An output with scores of `classes` along one axis, which is counted from the front."""

    output: str
    axis: int
    classes: int


def class_scores(spec: Spec, labels: Sequence[int] | None) -> ClassScores:
    """The scores of a spec.

    They are the output of a decoder, whose classes are along the last axis; the output `logits`; or the only output,
    if right classes are given: an embedding looks like a head. Their axis is the one that the last product with weights
    makes; where no op tells, the one that fits.

    Args:
        spec: of the model.
        labels: the shape of the right classes, if they are given.

    Raises:
        SpecError: E633 where no output has scores, it is not known which one or along which axis, or there is but one.
    """
    name = _output(spec, given=labels is not None)
    type_ = spec.outputs[name].type
    fixed = {axis: size for axis, one in enumerate(type_.shape) if (size := one.constant) is not None}
    if not fixed.keys() - {0}:
        message = f"no axis of `{name}: {type_}` has classes: the inputs decide how many entries each has"
        fail("E633", message, None, help=_LEAVE_OUT)
    axis = type_.rank - 1 if spec.decode is not None else _axis(spec, name, fixed, labels)
    classes = fixed.get(axis, 0)
    if classes < 2:
        message = f"`{name}: {type_}` has no classes to choose among: axis {axis} has {classes or 'no fixed number'}"
        fail("E633", message, None, help=_LEAVE_OUT)
    return ClassScores(output=name, axis=axis, classes=classes)


def _output(spec: Spec, *, given: bool) -> str:
    """The name of the output; `given` says that right classes are."""
    outputs = spec.outputs
    if spec.decode is not None:
        return spec.decode.output
    name = "logits" if "logits" in outputs or len(outputs) != 1 else next(iter(outputs))
    if name not in outputs:
        help = "name the output with the scores of classes `logits`"
        fail("E633", f"which of {', '.join(outputs)} has scores of classes is not known", None, help=help)
    type_ = outputs[name].type
    if type_.dtype is not DType.FLOAT:
        fail("E633", f"`{name}: {type_}` has no scores of classes", None, help=_LEAVE_OUT)
    if name != "logits" and not given:
        message = f"whether `{name}: {type_}` has scores of classes is not known"
        help = f"if it has, name it `logits`, or give the right ones as `{LABELS}` with the inputs; else {_LEAVE_OUT}"
        fail("E633", message, None, help=help)
    return name


def _axis(spec: Spec, name: str, fixed: dict[int, int], labels: Sequence[int] | None) -> int:
    """The axis of the classes, of those whose size is fixed."""
    value = spec.outputs[name]
    made = made_axes(spec.graph, value) & fixed.keys()
    if len(made) == 1:
        return min(made)
    fitting = [axis for axis in fixed if axis and (labels is None or _fits(value.type, axis, labels))]
    return fitting[0] if len(fitting) == 1 else _fail_axis(f"{name}: {value.type}")


def _fits(type_: TensorType, axis: int, labels: Sequence[int]) -> bool:
    """Whether labels may be one for each place, if classes are along an axis."""
    sizes = [one.constant for number, one in enumerate(type_.shape) if number not in (0, axis)]
    places = labels[1:]
    return len(places) == len(sizes) and all(size in (None, one) for size, one in zip(sizes, places, strict=True))


def _fail_axis(output: str) -> NoReturn:
    help = f"give the right classes as `{LABELS}`, of the shape of the scores without that axis"
    fail("E633", f"along which axis `{output}` has scores of classes is not known", None, help=help)
