"""The same meaning written another way: names, order, and values in place of constants; always the same for a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import yaml

from archspec.blocks.registry import blocks
from archspec.masks.registry import atoms
from archspec.spec import Spec
from archspec.spec.printing import printed
from archspec.spec.schema import json_schema
from tests.edits.tree_edits import _Plain

Tree = dict[str, Any]
Rewrite = Callable[[Tree, Spec, Random], Mapping[str, str]]
_TOKEN = r"(?<![\w.]){}(?!\w)"


def tree_of(spec: Spec) -> Tree:
    """The self-contained document of a spec as plain data."""
    found: Tree = yaml.load(printed(spec.resolved), Loader=yaml.BaseLoader)
    return found


def text_of(tree: Tree) -> str:
    """A document as text."""
    return yaml.dump(tree, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True)


def rename(tree: Tree, spec: Spec, chance: Random) -> Mapping[str, str]:
    """Nodes, dims, inputs, outputs and constants get names that nothing had; which ones are renamed is returned."""
    words = _words()
    sections = ("constants", "dims", "inputs", "graph", "outputs")
    known = [name for section in sections for name in tree.get(section) or {}]
    # The names in bodies of blocks are their own: what has a name of one of these keeps it.
    inner = set(_keys(tree.get("blocks") or {}))
    # A group inside a name, as in `(image text)_states`, cannot be renamed word by word.
    inner |= {name for key in _keys(tree.get("weights") or {}) for name in _in_groups(key)}
    free = [one for one in dict.fromkeys(known) if one not in words and one not in inner and "." not in one]
    chosen = [one for one in free if chance.random() < 0.7] or free[:1]
    names = {one: f"{one[:3]}_{chance.randrange(1000)}x{number}" for number, one in enumerate(chosen)}
    for section in (*sections, "reduced", "rules", "decode", "blocks"):
        if section in tree:
            tree[section] = _renamed(tree[section], names, keys=section in sections)
    small = tree.get("reduced") or {}
    for section, inside in small.items() if isinstance(small, dict) else ():
        small[section] = {names.get(key, key): value for key, value in inside.items()}
    for layout in (tree.get("weights") or {}).values():
        if isinstance(layout, dict) and isinstance(layout.get("map"), dict):
            layout["map"] = {_replaced(key, names): _sizes(value, names) for key, value in layout["map"].items()}
    return names


def _sizes(tree: Any, names: Mapping[str, str]) -> Any:
    """What a layout says of their names, where only sizes and indices may read constants."""
    if not isinstance(tree, dict):
        return tree
    return {
        key: _renamed(value, names, keys=False) if key in ("sizes", "index") else _sizes(value, names)
        for key, value in tree.items()
    }


def _in_groups(key: str) -> Iterator[str]:
    for before, group, after in re.findall(r"(\w*)\(([^)]*)\)(\w*)", key):
        if before or after:
            yield from (f"{before}{word}{after}" for word in group.split())
            yield from group.split()


def _keys(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from _keys(value)


@cache
def _words() -> frozenset[str]:
    """Every word that the language gives a meaning to: keys and literal values of its schema, blocks and atoms."""
    found = {"layer", "batch", *blocks(), *atoms()}
    pending: list[Any] = [json_schema()]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            found.update(one.get("properties") or ())
            found.update(word for word in (*one.get("enum", ()), one.get("const")) if isinstance(word, str))
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return frozenset(found)


def _renamed(tree: Any, names: Mapping[str, str], *, keys: bool) -> Any:
    if isinstance(tree, dict):
        return {
            (_replaced(key, names) if keys else key): value
            if key in ("block", "about") or (key == "weights" and not keys)
            else _renamed(value, names, keys=False)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_renamed(one, names, keys=False) for one in tree]
    return _replaced(tree, names)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = re.sub(_TOKEN.format(re.escape(old)), new, text)
    return text


def reorder(tree: Tree, spec: Spec, chance: Random) -> Mapping[str, str]:
    """Nodes, constants, dims and rules stand in another order; inputs and outputs keep theirs, which callers see."""
    for section in ("graph", "constants", "dims"):
        if isinstance(tree.get(section), dict):
            entries = list(tree[section].items())
            chance.shuffle(entries)
            tree[section] = dict(entries)
    for block in (tree.get("blocks") or {}).values():
        entries = list(block["graph"].items())
        chance.shuffle(entries)
        block["graph"] = dict(entries)
    if isinstance(tree.get("rules"), list):
        chance.shuffle(tree["rules"])
    return {}


def inline(tree: Tree, spec: Spec, chance: Random) -> Mapping[str, str]:
    """Constants are replaced by their values."""
    values = {name: str(number.as_dim()) for name, number in spec.constants.items() if number.as_dim() is not None}
    known = {name: value for name, value in values.items() if name not in _words() and chance.random() < 0.7}
    inner = set(_keys(tree.get("blocks") or {}))
    known = {name: value for name, value in known.items() if name not in inner}
    constants = tree.pop("constants", None) or {}
    tree.pop("reduced", None)
    tree["constants"] = {name: _replaced(value, known) for name, value in constants.items() if name not in known}
    for section in ("dims", "inputs", "graph", "outputs", "rules", "decode"):
        if section in tree:
            tree[section] = _renamed(tree[section], known, keys=False)
    return {}


REWRITES: tuple[Rewrite, ...] = (rename, reorder, inline)
