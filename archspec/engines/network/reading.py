"""Read a TensorRT network into a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from archspec.diagnostics import Collector
from archspec.engines.network.constants import array_of
from archspec.engines.network.kinds import ATTENTION, KINDS, QUANTIZED
from archspec.engines.network.order import ordered
from archspec.engines.network.plan import Attributes, NetworkLayer, NetworkPlan, NetworkTensor

NO_EXCHANGES: Mapping[str, Attributes] = MappingProxyType({})
_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


def read_network(
    trt: Any, network: Any, *owners: Any, exchanges: Mapping[str, Attributes] = NO_EXCHANGES
) -> NetworkPlan:
    """Return the plan of a network of TensorRT or TensorRT-RTX; `trt` is the package that made it.

    `owners` hold the memory of its weights, as a parser does. `exchanges` are the attributes of the ONNX nodes at which
    ranks exchange values, by name: TensorRT does not tell those of its layers. Raises SpecError with an E620 for every
    layer of an unknown kind, or with weights of an unknown type.
    """
    return _Reader(trt, network, exchanges).plan(owners)


class _Reader:
    """Numbers the tensors of a network in the order they are first seen."""

    def __init__(self, trt: Any, network: Any, exchanges: Mapping[str, Attributes]) -> None:
        self.trt = trt
        self.network = network
        self.exchanges = exchanges
        self.found = Collector()
        # Tensors are identified by their Python objects, which are kept so that no identity is reused.
        self.tensors: list[Any] = []
        self.numbers: dict[int, int] = {}

    def plan(self, owners: tuple[Any, ...]) -> NetworkPlan:
        """Read the whole network."""
        inputs = [self.number(self.network.get_input(index)) for index in range(self.network.num_inputs)]
        layers = [self.network.get_layer(index) for index in range(self.network.num_layers)]
        steps = [self.step(layer, node) for layer, node in zip(layers, _nodes(layers), strict=True)]
        outputs = [self.number(self.network.get_output(index)) for index in range(self.network.num_outputs)]
        self.found.raise_if_errors()
        return NetworkPlan(
            wires=tuple(_wire(tensor) for tensor in self.tensors),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            steps=ordered(steps),
            owners=(self.network, *layers, *owners),
        )

    def number(self, tensor: Any) -> int:
        """Return the number of a tensor, a new one if it was not seen before."""
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = len(self.tensors)
            self.tensors.append(tensor)
        return self.numbers[id(tensor)]

    def step(self, layer: Any, node: str | None) -> NetworkLayer:
        """Read one layer; E620 is added for an unknown kind or for weights that cannot be read."""
        kind = kind_of(self.trt, layer)
        inputs = [layer.get_input(index) for index in range(layer.num_inputs)]
        outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
        step = NetworkLayer(
            name=layer.name,
            kind=kind,
            attributes=self.attributes(kind, layer, node) if kind in KINDS else {},
            inputs=tuple(None if tensor is None else self.number(tensor) for tensor in inputs),
            outputs=tuple(self.number(tensor) for tensor in outputs),
            node=node,
        )
        if kind not in KINDS:
            help = "lower the node to supported layers, or leave the target out"
            self.found.error("E620", f"the {step} cannot be computed here: unknown kind of layer", None, help=help)
        for name, value in step.attributes.items():
            if isinstance(value, _Unreadable):
                self.found.error("E620", f"the {step} cannot be computed here: its {name} are {value.dtype}", None)
        return step

    def attributes(self, kind: str, layer: Any, node: str | None) -> Attributes:
        """Read the attributes of a layer of a known kind; those that it does not tell are its node's."""
        _, names = KINDS[kind]
        typed(self.trt, layer, kind)
        found = {name: _plain(getattr(layer, name)) for name in names}
        if kind.startswith("ATTENTION"):
            attention = layer.attention
            # Attributes that a version of TensorRT does not have yet are at their defaults there.
            found |= {name: _plain(getattr(attention, name)) for name in ATTENTION if hasattr(attention, name)}
            # Reading the type of an attention that is not quantised is logged as an error.
            if attention.normalization_quantize_scale is not None:
                found[QUANTIZED] = _plain(getattr(attention, QUANTIZED))
        return {**found, **self.exchanges.get(node or "", {})} if kind == "DIST_COLLECTIVE" else found


class _Unreadable:
    """Marks weights of a type that has no array view."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


def typed(trt: Any, layer: Any, kind: str) -> Any:
    """Return a layer with the attributes of its kind, a known one."""
    # The network returns layers as ILayer, which has none of the attributes of their kinds.
    layer.__class__ = getattr(trt, "IDeconvolutionLayer" if kind == "DECONVOLUTION" else KINDS[kind][0])
    return layer


def kind_of(trt: Any, layer: Any) -> str:
    """Return the kind of a layer."""
    # Some classes of layers have their own `type`, which hides that of ILayer.
    layer.__class__ = trt.ILayer
    name: str = layer.type.name
    return name


def _plain(value: Any) -> Any:
    """Return an attribute as plain data: enumerations by name, weights as arrays, dims as tuples."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(type(value), "__members__"):
        return value.name
    if hasattr(value, "nbytes"):
        array = array_of(value)
        return _Unreadable(value.dtype.name) if array is None else array
    return _sizes(value)


def _sizes(value: Any) -> tuple[int, ...] | None:
    """Return dims as a tuple, None if they are not known."""
    try:
        return tuple(value)
    except (TypeError, ValueError):
        # Sizes that are unknown, or supplied by an input at run time, have a negative length.
        return None


def _wire(tensor: Any) -> NetworkTensor:
    """Describe a tensor."""
    return NetworkTensor(name=tensor.name, dtype=tensor.dtype.name, shape=_sizes(tensor.shape))


def _nodes(layers: list[Any]) -> Iterator[str | None]:
    """Return the ONNX node of each layer; helper layers precede the layer that names the node."""
    named = [_NODE.search(layer.metadata) for layer in layers]
    following: str | None = None
    # Backwards, since the layer that names a node follows its helpers.
    nodes: list[str | None] = []
    for found in reversed(named):
        following = found.group(1) if found is not None else following
        nodes.append(following)
    return reversed(nodes)
