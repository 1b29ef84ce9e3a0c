"""The parameters of a graph under construction: created once, and looked up by reused modules."""

from __future__ import annotations

from math import sqrt

from archspec.diagnostics import Span, fail
from archspec.ir.graph import Parameter
from archspec.ir.init import Init
from archspec.ir.op import BUFFERS, ParameterSpec
from archspec.ir.types import TensorType
from archspec.record import record

_ROLE_INIT = {
    "weight": Init(kind="truncated_normal", value=0.02),
    "bias": Init(kind="constant", value=0.0),
    "norm": Init(kind="constant", value=1.0),
    "scale": Init(kind="constant", value=1.0),
    "mean": Init(kind="constant", value=0.0),
    "variance": Init(kind="constant", value=1.0),
    "count": Init(kind="constant", value=0.0),
    "range": Init(kind="constant", value=1.0),
}


@record
class Settings:
    """Attributes that new nodes and parameters inherit from the node of the spec that they are built for."""

    span: Span | None = None
    init: Init | None = None
    trainable: bool = True


class ParameterBook:
    """Parameters by key: the full path, where numbers distinguish the bodies of one repeat (`*0`, `*1`)."""

    def __init__(self) -> None:
        self._known: dict[str, Parameter] = {}

    def take(self, key: str, path: str, spec: ParameterSpec, settings: Settings, *, reuse: bool) -> Parameter:
        """Create a parameter, or with `reuse` return the existing one of a reused module.

        Raises ParameterMismatch if the existing one has another shape, SpecError E341 for a size that is only known
        at run time, and ValueError if the parameter exists and `reuse` is false.
        """
        if key not in self._known:
            self._known[key] = self._make(path, spec, settings)
            return self._known[key]
        found = self._known[key]
        if not reuse:
            raise ValueError(f"parameter {key} already exists")
        if not found.type.matches(spec.type):
            raise ParameterMismatch(found, spec.type)
        return found

    def _make(self, path: str, spec: ParameterSpec, settings: Settings) -> Parameter:
        if not all(size.is_constant for size in spec.type.shape):
            message = f"`{path}` would be {spec.type}, whose size is only known at run time"
            fail("E341", message, settings.span, help="give it a fixed size")
        return Parameter(
            path=path,
            type=spec.type,
            init=_start(path, spec, settings),
            trainable=settings.trainable,
            span=settings.span,
            buffer=spec.role in BUFFERS,
        )

    def get(self, key: str) -> Parameter | None:
        """The parameter with this key, or None."""
        return self._known.get(key)

    @property
    def names(self) -> tuple[str, ...]:
        """All keys, in order of creation."""
        return tuple(self._known)


def _start(path: str, spec: ParameterSpec, settings: Settings) -> Init:
    """The initialisation of a parameter: its own, otherwise that of the spec (weights only), otherwise its role's.

    Raises SpecError E242 if the initialisation needs fan-in and fan-out and the parameter has too few axes.
    """
    # `init` of a spec applies to weights only: biases, norms and statistics are initialised by their role.
    init = spec.init or (settings.init if spec.role == "weight" else None) or _ROLE_INIT[spec.role]
    if init.kind not in ("xavier_uniform", "kaiming_normal"):
        return init
    if spec.type.rank < 2 + spec.stacked:
        message = f"`{path}` is {spec.type}, but `{init.kind}` needs a weight with input and output features"
        fail(
            "E242", message, settings.span, help="give it an `init` with a number, such as `{kind: normal, std: 0.02}`"
        )
    return _of_one_map(spec.type, init) if spec.stacked else init


def _of_one_map(stack: TensorType, init: Init) -> Init:
    """The initialisation of each [out, in] map of a stack; torch would count the number of maps as a fan."""
    out, into = (size.constant or 1 for size in stack.shape[1:])
    if init.kind == "xavier_uniform":
        return Init(kind="uniform", value=sqrt(6 / (into + out)))
    return Init(kind="normal", value=sqrt(2 / into))


class ParameterMismatch(Exception):
    """A reused module needs a parameter whose shape differs from that of the existing one."""

    def __init__(self, parameter: Parameter, wanted: TensorType) -> None:
        super().__init__(f"{parameter.path} is {parameter.type}, but {wanted} is needed here")
        self.parameter = parameter
        self.wanted = wanted
