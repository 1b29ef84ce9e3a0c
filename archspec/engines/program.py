"""A program to build: an emitted module, its weights, and its interface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.engines.profiles import Profile, Shapes, declared, shapes
from archspec.model.ports import Interface
from archspec.model.written import WrittenInterface, read_type, written
from archspec.record import record


@record
class Program:
    """A Python file that defines the class `module`, a safetensors file with its state, and its interface.

    `profiles` are the sizes that engines are made for; without any, all that the interface admits. With `partial` the
    file of weights has others too.
    """

    source: Path
    module: str
    weights: Path
    interface: Interface
    profiles: tuple[Profile, ...] = ()
    partial: bool = False

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
        return {**found, "partial": True} if self.partial else found

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
