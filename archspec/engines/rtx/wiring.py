"""What makes and what reads each tensor of a network that is being changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorrt_rtx as trt

from archspec.engines.network.kinds import KINDS
from archspec.engines.network.reading import kind_of, typed


class LiveWiring:
    """A network with the maker and the readers of each tensor, as they were before it was changed."""

    def __init__(self, network: Any) -> None:
        self.network = network
        # Tensors are identified by their Python objects, which are kept so that no identity is reused.
        self._kept: list[Any] = []
        self._makers: dict[int, Any] = {}
        self._readers: dict[int, list[tuple[Any, int]]] = {}
        self.layers = [network.get_layer(index) for index in range(network.num_layers)]
        for layer in self.layers:
            for tensor in outputs_of(layer):
                self._kept.append(tensor)
                self._makers[id(tensor)] = layer
            for place, tensor in enumerate(inputs_of(layer)):
                self._kept.append(tensor)
                self._readers.setdefault(id(tensor), []).append((layer, place))

    def keep(self, thing: Any) -> None:
        """Keep something that the network points to, such as the memory of a constant, as long as this object."""
        self._kept.append(thing)

    def maker(self, tensor: Any) -> tuple[str, Any]:
        """Return the kind of the layer that makes a tensor, and the layer; "INPUT" for an input of the network."""
        layer = self._makers.get(id(tensor))
        if layer is None:
            return "INPUT", None
        kind = kind_of(trt, layer)
        return kind, typed(trt, layer, kind) if kind in KINDS else layer

    def of_kind(self, kind: str) -> list[Any]:
        """Return the layers of a kind."""
        return [layer for layer in self.layers if kind_of(trt, layer) == kind]

    def readers(self, tensor: Any) -> list[tuple[str, Any]]:
        """Return the kinds of the layers that read a tensor, and the layers."""
        return [(kind_of(trt, layer), layer) for layer, _ in self._readers.get(id(tensor), [])]

    def replace(self, old: Any, new: Any) -> None:
        """Let what read a tensor read another one; an output of the network keeps its name."""
        for layer, place in self._readers.get(id(old), []):
            # The class of a kind has inputs of its own numbering.
            layer.__class__ = trt.ILayer
            layer.set_input(place, new)
        if old.is_network_output:
            name = old.name
            self.network.unmark_output(old)
            # The name must be free before the new tensor takes it.
            old.name = f"{name}.replaced"
            new.name = name
            self.network.mark_output(new)


def inputs_of(layer: Any) -> Sequence[Any]:
    """Return the inputs of a layer, None for one that was left out."""
    return [layer.get_input(index) for index in range(layer.num_inputs)]


def outputs_of(layer: Any) -> Sequence[Any]:
    """Return the outputs of a layer."""
    return [layer.get_output(index) for index in range(layer.num_outputs)]
