"""Which weights become integers, and in which format each is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from archspec.diagnostics import did_you_mean, fail
from archspec.ir.graph import Graph
from archspec.ir.storage import Storage
from archspec.layouts.parameters import shape_of
from archspec.passes.quantise import Storable, storable
from archspec.quantising.formats import KEPT, STORED, Format, read_format
from archspec.record import record

Plan = Mapping[str, Storage]
"""The storage of parameters by path, with `*` for the number of a layer."""
BYTE = Format(bits=8)


@record
class Wish:
    """One wish: a format (None keeps floats) for the weights of a node, or for all others where `node` is empty.

    With `stored` it is whatever holds the integers that are given.
    """

    node: str
    format: Format | None
    stored: bool = False


def read_wishes(formats: Iterable[str], keep: Iterable[str] = ()) -> tuple[Wish, ...]:
    """Read formats as they are given, `int4:32`, `NODE=int8`, `stored`, and nodes to keep as floats.

    Raises SpecError E630 for what is no format, E637 for two of one node.
    """
    found = list[Wish]()
    for text in formats:
        node, equals, word = text.rpartition("=")
        if equals and not node:
            fail("E630", f"`{text}` names no node", None, help=f"write `{word}` for all weights, or `NODE={word}`")
        stored = word == STORED
        found.append(Wish(node=node, format=None if stored else read_format(word), stored=stored))
    found += [Wish(node=node, format=None) for node in keep]
    # What holds the integers of a file goes with another format, for what the file has no integers of.
    check_one_each((one.node, str(one.format or KEPT)) for one in found if not one.stored)
    return tuple(found)


def check_one_each(words: Iterable[tuple[str, str]]) -> None:
    """Check that no node has two formats, each given with its node. Raises SpecError E637."""
    found = dict[str, str]()
    for node, word in words:
        before = found.setdefault(node, word)
        if before != word:
            where = f"`{node}`" if node else "all nodes"
            help = f"leave one of the two out; `--keep` is short for `{KEPT}`"
            fail("E637", f"`{before}` and `{word}` are both given for {where}", None, help=help)


def plan_of(graph: Graph, wishes: Sequence[Wish], given: Plan | None = None) -> Plan:
    """The storage of every parameter that becomes integers.

    Of several wishes for a parameter, the one for the innermost node counts. `stored` counts before others for the same
    node, and is no wish for what is not in `given`, the storages of given integers.

    A weight whose last axis has no whole blocks, a kernel and, with four bits, a table of which rows are looked up are
    stored as `int8` with a scale for each channel where a format with blocks is wished.

    Raises:
        SpecError: E631 for a node that has no weights that could be integers, or if nothing is left to store so.
    """
    known = storable(graph)
    for wish in wishes:
        if wish.node and not any(inside(path, wish.node) for path in known):
            nodes = sorted({part for path in known for part in prefixes(path)})
            message = f"no weights of `{wish.node}` can be stored as integers"
            fail("E631", message, None, help=did_you_mean(wish.node, nodes, kind="nodes"))
    plan = dict[str, Storage]()
    for path, one in known.items():
        wish = _wished(path, wishes, given or {})
        if wish.stored:
            plan[path] = (given or {})[path]
        elif wish.format is not None:
            plan[path] = suited_storage(one, wish.format)
    if not plan:
        fail("E631", "no weights are left that could be stored as integers", None, help="keep fewer nodes")
    return plan


def free_paths(plan: Plan, wishes: Sequence[Wish], given: Plan | None = None) -> tuple[str, ...]:
    """The parameters of a plan that no wish for a node is about."""
    return tuple(path for path in plan if not _wished(path, wishes, given or {}).node)


def _wished(path: str, wishes: Sequence[Wish], given: Plan) -> Wish:
    """The wish for a parameter; one for floats if there is none."""
    mine = [wish for wish in wishes if inside(path, wish.node) and (path in given or not wish.stored)]
    none = Wish(node="", format=None)
    return max(mine, key=lambda wish: (len(wish.node), wish.stored), default=none)


def inside(path: str, node: str) -> bool:
    """Whether a parameter belongs to a node, or to one inside it."""
    return not node or path == node or path.startswith(f"{node}.")


def prefixes(path: str) -> Iterable[str]:
    """The paths of the nodes that a path is inside."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def suited_storage(one: Storable, format: Format) -> Storage:
    """The storage of a parameter, which is `int8` where the format does not suit it."""
    return (BYTE if _unsuited(one, format) else format).stored(one.channels)


def _unsuited(one: Storable, format: Format) -> str:
    """Why a parameter cannot be stored in a format; empty if it can."""
    shape = shape_of(one.parameter.type)
    if format.block is not None and len(shape) != one.channels + 1:
        return "a kernel has a scale for each channel, and no blocks"
    if format.block is not None and shape[-1] % format.block:
        return f"a row of {shape[-1]} has no whole blocks of {format.block}"
    # Runtimes look up rows of bytes.
    if one.rows and (format.floating or format.bits == 4):
        return "rows of a table are looked up of integers of eight bits"
    return ""


def written(plan: Plan) -> dict[str, str]:
    """The format of each parameter of a plan, as text."""
    return {path: str(storage) for path, storage in plan.items()}


def planned(graph: Graph, formats: Mapping[str, str]) -> Plan:
    """The plan that `written` gave for a graph.

    Raises SpecError E630, and E631 for what the graph does not have, and for what it cannot store so.
    """
    known, plan = storable(graph), dict[str, Storage]()
    for path, text in formats.items():
        format = read_format(text)
        if path not in known:
            _refuse(path, text, "no weights of this name can be stored as integers")
        if format is None:
            _refuse(path, text, "a plan leaves out what stays float")
        if reason := _unsuited(known[path], format):
            _refuse(path, text, reason)
        plan[path] = format.stored(known[path].channels)
    return plan


def _refuse(path: str, text: str, reason: str) -> NoReturn:
    """Raise E631."""
    help = "the plan was edited, or is that of another spec or version: give formats, such as `--quantise int8`"
    fail("E631", f"`{path}` cannot be stored as `{text}`", None, notes=[reason], help=help)
