"""The text of `parallelize.py`: a template of plain torch, and the tables of one plan."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping

from archspec.analyses.sharding.boundary import Boundaries, Crossing
from archspec.analyses.sharding.plan import WHOLE, Conversion, Plan
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Primitive
from archspec.ir.placement import Copied, Placement, Shard
from archspec.ir.repeat import Repeat
from archspec.lower.layout import fits
from archspec.lower.syntax import parse
from archspec.parallel.drawing import draws
from archspec.parallel.patterns import LayerPlace, Patterns
from archspec.parallel.templates import Template, merged_imports

_BEGIN, _END = "# --- tables ---\n", "# --- end of tables ---\n"
_HOOKS = "dict[str, dict[int, Conversion]]"


def parallelize_text(
    plan: Plan, graph: Graph, boundaries: Boundaries, about: str, first_layers: Mapping[str, int] | None = None
) -> str:
    """The file that applies a plan to the emitted module: it imports only torch and the standard library.

    Args:
        plan: the plan of the graph.
        graph: the graph as it is emitted.
        boundaries: where hooks may stand on the module.
        about: the docstring of the file.
        first_layers: the number of the first layer of a list, for a part of a model that does not begin with 0.
    """
    return with_tables(tables(plan, graph, boundaries, first_layers), about)


def tables(
    plan: Plan, graph: Graph, boundaries: Boundaries, first_layers: Mapping[str, int] | None = None
) -> list[str]:
    """Lines of the tables of a plan."""
    patterns = Patterns(graph, first_layers)
    stored = [(LayerPlace(one.group.pattern, one.group.layers), one) for one in plan.parameters]
    held = ((place, source_of(one.placement)) for place, one in stored)
    shapes = ((place, tuple_of(map(str, one.parameter.type.shape))) for place, one in stored)
    layers = {f"{module}.*": str(count) for module, count in layer_counts(graph).items()}
    return [
        f"RANKS = {plan.ranks}",
        *mapping("PARAMETERS", "dict[str, Held]", patterns.merged((a, b) for a, b in held if b != "Replicate()")),
        *mapping("INPUTS", _HOOKS, hooks(plan, patterns, "input")),
        *mapping("OUTPUTS", _HOOKS, hooks(plan, patterns, "output")),
        *mapping("LOOKUPS", "dict[str, Conversion]", patterns.merged(lookups(plan, boundaries))),
        *mapping("DIVIDED", "dict[str, tuple[str, ...]]", patterns.merged(divided(plan, boundaries))),
        *mapping("DRAWS", "dict[str, tuple[int, ...]]", patterns.merged(alike(plan, graph))),
        *mapping("LAYERS", "dict[str, int]", layers),
        *mapping("SHAPES", "dict[str, tuple[int, ...]]", patterns.merged(shapes)),
    ]


def with_tables(lines: Iterable[str], about: str, template: str = "parallelize") -> str:
    """A template with other tables and another docstring; what it imports of other templates stands in it."""
    own = Template(template)
    parts = [Template(name) for name in own.parts]
    before, _, rest = own.body.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    code = "\n\n\n".join([*(part.body for part in parts), before]).strip("\n")
    code = f"{code}\n\n" if code else ""
    imports = merged_imports([own, *parts])
    return f'"""{about}"""\n\n{imports}\n\n{code}' + "\n".join(lines) + f"\n{after}\n"


def source_of(placement: Placement) -> str:
    """A placement as the file writes it."""
    if isinstance(placement, Shard):
        if placement.copies > 1:
            return f"SharedShard({placement.axis}, {placement.copies})"
        return f"Shard({placement.axis})"
    return "Broadcast()" if isinstance(placement, Copied) else f"{type(placement).__name__}()"


def hooks(plan: Plan, patterns: Patterns, side: str) -> dict[str, str]:
    """The conversions of arguments or results, by module."""
    places: dict[LayerPlace, dict[int, str]] = {}
    for one in plan.conversions:
        if one.at.side == side:
            places.setdefault(LayerPlace(one.at.module, one.at.layers), {})[one.at.number] = pair(one)
    return patterns.merged((place, braced(numbers)) for place, numbers in places.items())


def pair(one: Conversion) -> str:
    """What a conversion takes and gives."""
    return f"({source_of(one.source)}, {source_of(one.target)})"


def lookups(plan: Plan, boundaries: Boundaries) -> Iterable[tuple[LayerPlace, str]]:
    """The tables that are split by rows, or what is looked up in is converted, with what becomes of these rows."""
    converted = {one.at: pair(one) for one in plan.conversions if one.at.side == "lookup"}
    kept = "(Partial(), Partial())"
    held = {one.group.pattern: one.group.layers for one in plan.parameters}
    for node, sharding in plan.nodes.items():
        at = boundaries.get(Crossing(node, "output", 0))
        if at is not None and at in converted and sharding is WHOLE:
            yield LayerPlace(f"{at.module}.{at.name}" if at.module else at.name, at.layers), converted[at]
        if sharding is WHOLE or sharding.rows is None:
            continue
        for name, placement in sharding.parameters.items():
            if placement == Shard(0):
                path = node.parameters[name].path
                yield LayerPlace(path, held[path]), converted.get(at, kept) if at is not None else kept


def divided(plan: Plan, boundaries: Boundaries) -> Iterable[tuple[LayerPlace, str]]:
    """The attributes of modules that are divided by the ranks."""
    for node, sharding in plan.nodes.items():
        at = boundaries.get(Crossing(node, "output", 0))
        # Code that is not a module of its own reads the numbers off tensors.
        if sharding.attributes and at is not None and at.side == "output":
            yield LayerPlace(at.module, at.layers), tuple_of(map(repr_of, sharding.attributes))


def alike(plan: Plan, graph: Graph) -> Iterable[tuple[LayerPlace, str]]:
    """The modules whose code draws random numbers, with how many ranks in a row draw alike each time."""
    if plan.ranks > 1:
        yield from ((place, tuple_of(str(drawn_alike(plan, node)) for node in nodes)) for place, nodes in draws(graph))


def drawn_alike(plan: Plan, node: Node) -> int:
    """How many ranks in a row draw the same numbers in an op."""
    sharding = plan.nodes[node]
    assert isinstance(node.op, Primitive)
    parts = None if sharding is WHOLE else node.op.drawn(sharding)
    return parts.copies if parts is not None else plan.ranks


def layer_counts(graph: Graph, times: int = 1) -> Mapping[str, int]:
    """How many modules the lists of repeated layers hold in all, by the paths of the lists, outer ones first."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        own: Counter[str] = Counter()
        for number, region in enumerate(node.regions):
            held = len(node.op.holders(number)) if isinstance(node.op, Repeat) else 1
            if isinstance(node.op, Repeat):
                own[node.op.module] += times * held
            own.update(layer_counts(region, times * held))
        # A module that is called twice is there once.
        found.update(own)
    return found


def mapping(name: str, type_: str, entries: Mapping[str, str]) -> list[str]:
    """Lines of one table, one entry a line."""
    if not entries:
        return [f"{name}: {type_} = {{}}"]
    lines = [line for key, value in entries.items() for line in entry(repr_of(key), value)]
    return [f"{name}: {type_} = {{", *lines, "}"]


def entry(key: str, value: str) -> list[str]:
    """Lines of one entry of a table."""
    line = f"    {key}: {value},"
    tree = parse(value)
    if fits(line) or not isinstance(tree, ast.Dict):
        return [line]
    items = (f"{ast.unparse(k)}: {ast.unparse(v)}" for k, v in zip(tree.keys, tree.values, strict=True) if k)
    return [f"    {key}: {{", *(f"        {item}," for item in items), "    },"]


def braced(numbers: Mapping[int, str]) -> str:
    """Conversions by number."""
    return "{" + ", ".join(f"{number}: {value}" for number, value in sorted(numbers.items())) + "}"


def tuple_of(items: Iterable[str]) -> str:
    """A tuple of sources."""
    found = list(items)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


def repr_of(text: str) -> str:
    """A string as the formatter writes it."""
    return f'"{text}"'
