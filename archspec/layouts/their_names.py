"""Check their side of a layout without a checkpoint: each name is mapped once, and each tie belongs to one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.diagnostics import Collector, Label
from archspec.layouts.bind import Binding
from archspec.layouts.line import MapLine
from archspec.layouts.tie import Tie, TiedNames


def check_taken_once(bindings: Sequence[Binding], found: Collector) -> None:
    """Report E516 for a name that is mapped twice, whatever a checkpoint holds."""
    taken: dict[str, MapLine] = {}
    for binding in bindings:
        for name in _names(binding):
            if name in taken:
                places = [Label(taken[name].place, "first here")] if taken[name] is not binding.line else []
                help = "map each of their tensors once"
                found.error("E516", f"`{name}` is mapped twice", binding.line.place, secondary=places, help=help)
            taken.setdefault(name, binding.line)


def check_ties(tied: TiedNames, bindings: Sequence[Binding], found: Collector) -> None:
    """Report E525 for an entry of `tied` if lines map both of its names, or none maps either."""
    if not tied.ties:
        return
    mapped = {name: binding.line for binding in bindings for name in _names(binding)}
    partners = {name: tied.of(name) for name in mapped}
    for name, line in mapped.items():
        for other, tie in partners[name].items():
            # Each pair is met from both of its names, but reported once.
            if other in mapped and name < other:
                _report_both({name: line, other: mapped[other]}, tie, found)
    known = {one for name in mapped for one in (name, *partners[name])}
    for tie in tied.ties:
        if not any(tie.holds(name) for name in known):
            help = "map one of the two names, written without prefix"
            found.error("E525", f"no line maps `{tie.name}` or `{tie.other}`", tie.name.span, help=help)


def _names(binding: Binding) -> tuple[str, ...]:
    """Return the names of a binding, none if they have an extra `*`: only a checkpoint shows its indices."""
    return () if binding.line.pairing.indexed else binding.names()


def _report_both(lines: Mapping[str, MapLine], tie: Tie, found: Collector) -> None:
    """Report E525 for two tied names that are both mapped."""
    places = [Label(line.place, f"`{name}` is mapped here") for name, line in lines.items()]
    message = f"{' and '.join(f'`{name}`' for name in lines)} are tied, but lines map both"
    help = "map only one of them, or remove the tie if the architecture has a tensor for each"
    found.error("E525", message, tie.name.span, secondary=places, help=help)
