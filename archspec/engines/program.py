"""A program to build: an emitted module, its weights, and its interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.engines.profiles import Profile, Shapes, declared, shapes
from archspec.model.ports import Interface
from archspec.model.written import WrittenInterface, read_type, written
from archspec.record import record


@record
class StateForm:
    """The state of a decoder's step, by the names of its inputs.

    `updates` gives the output that replaces each input that changes. `buffers` are those of the form [b h length d], in
    which the entry of position p stands at index p, and `causal` those of them that are read as keys of attentions
    that have no mask but causality. `past` is the input that says the number of positions that each row has had.
    """

    updates: Mapping[str, str]
    buffers: tuple[str, ...] = ()
    causal: tuple[str, ...] = ()
    past: str = "past"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        lists = {"buffers": list(self.buffers), "causal": list(self.causal)}
        return {"updates": dict(self.updates), **lists, "past": self.past}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> StateForm:
        """Return what `to_json` wrote."""
        lists = {name: tuple(data[name]) for name in ("buffers", "causal")}
        return StateForm(updates=data["updates"], past=data["past"], **lists)


@record
class Program:
    """A Python file that defines the class `module`, a safetensors file with its state, and its interface.

    `profiles` are the sizes that engines are made for; without any, all that the interface admits. With `partial` the
    file of weights has others too. `state` is that of a decoder's step, None of any other program. `ranks` is the
    number of tensor ranks that exchange values in it, each of which runs a program of its own.
    """

    source: Path
    module: str
    weights: Path
    interface: Interface
    profiles: tuple[Profile, ...] = ()
    partial: bool = False
    state: StateForm | None = None
    ranks: int = 1

    def ranges(self) -> tuple[Shapes, ...]:
        """Return, for each profile, the smallest, typical and largest shape of every input."""
        profiles = self.profiles or (declared(self.interface.symbols),)
        return tuple(shapes(self.interface.input_ports, profile) for profile in profiles)

    def inside(self, folder: Path) -> Program:
        """Return the program with its relative paths resolved in a folder."""
        return replace(self, source=folder / self.source, weights=folder / self.weights)

    def to_json(self) -> dict[str, Any]:
        """Return the program as plain data, for another process."""
        paths = {"source": str(self.source), "module": self.module, "weights": str(self.weights)}
        profiles = [{name: list(sizes) for name, sizes in profile.items()} for profile in self.profiles]
        indexed = {name: [str(size) for size in sizes] for name, sizes in self.interface.indexed.items()}
        interface = written(self.interface).model_dump(mode="json")
        found = {**paths, "interface": interface, "indexed": indexed, "profiles": profiles}
        state: dict[str, Any] = {} if self.state is None else {"state": self.state.to_json()}
        state |= {} if self.ranks == 1 else {"ranks": self.ranks}
        return {**found, **state, "partial": True} if self.partial else {**found, **state}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Program:
        """Return the program that `to_json` wrote."""
        return Program(
            source=Path(data["source"]),
            module=data["module"],
            weights=Path(data["weights"]),
            interface=_interface(data),
            profiles=tuple(_profile(profile) for profile in data["profiles"]),
            partial=data.get("partial", False),
            state=StateForm.from_json(data["state"]) if "state" in data else None,
            ranks=data.get("ranks", 1),
        )


def _interface(data: dict[str, Any]) -> Interface:
    """Read the interface with its field `indexed`, which the written form of an interface does not have."""
    found = WrittenInterface.model_validate(data["interface"]).read()
    indexed = {
        name: read_type(f"float[{', '.join(sizes)}]", found.symbols).shape for name, sizes in data["indexed"].items()
    }
    return replace(found, indexed=indexed)


def _profile(data: dict[str, list[int]]) -> Profile:
    """Return a profile with tuples, which JSON does not have."""
    return {name: (sizes[0], sizes[1], sizes[2]) for name, sizes in data.items()}
