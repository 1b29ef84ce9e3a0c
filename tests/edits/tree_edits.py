"""Edits of a spec's tree: the text stays YAML, and what it says becomes something else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import yaml

from archspec.blocks.registry import blocks
from archspec.schema.model import Model
from tests.edits.text_edits import VALUES

Tree = Any
Place = tuple[Any, Any]
"""A map or a list, and a key or an index of it."""


def edit_tree(text: str, chance: Random) -> str:
    """The file with one to three edits of its tree; as it is where it is no YAML map any more."""
    try:
        tree = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return text
    if not isinstance(tree, dict):
        return text
    for _ in range(chance.choice((1, 1, 2, 3))):
        _edit(tree, chance)
    try:
        return yaml.dump(
            tree, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True
        )
    except RecursionError:
        return text


class _Plain(yaml.SafeDumper):
    """Writes texts without quotes that guard against implicit types, which the language does not have."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.yaml_implicit_resolvers = {}


def _edit(tree: Tree, chance: Random) -> None:
    places = list(_places(tree))
    if not places:
        return
    holder, key = chance.choice(places)
    what = chance.randrange(8)
    if what <= 1:
        holder[key] = _value(tree, chance)
    elif what == 2:
        del holder[key]
    elif what == 3:
        other, its = chance.choice(places)
        holder[key] = _copy(other[its])
    elif what == 4:
        _rename(holder, key, chance)
    elif what == 5:
        holder[key] = chance.choice(([holder[key]], {"kind": holder[key]}, {"block": holder[key]}, {key: holder[key]}))
    else:
        _add(tree, holder, chance)


def _rename(holder: Tree, key: Any, chance: Random) -> None:
    if isinstance(holder, dict):
        value = holder.pop(key)
        holder[chance.choice(_known_keys())] = value
    else:
        holder.append(_copy(holder[key]))


def _add(tree: Tree, holder: Tree, chance: Random) -> None:
    """A field that the language has, where it belongs or not."""
    nodes = [node for node in _maps(tree) if isinstance(node.get("block"), str) and node["block"] in blocks()]
    if nodes and chance.random() < 0.7:
        node = chance.choice(nodes)
        node[chance.choice(blocks()[node["block"]].keys())] = _value(tree, chance)
    elif isinstance(holder, dict):
        holder[chance.choice(_known_keys())] = _value(tree, chance)
    else:
        holder.append(_value(tree, chance))


def _value(tree: Tree, chance: Random) -> Tree:
    what = chance.randrange(5)
    if what == 0:
        return {chance.choice(_known_keys()): chance.choice(VALUES) for _ in range(chance.randrange(3))}
    if what == 1:
        return [chance.choice(VALUES) for _ in range(chance.randrange(4))]
    if what == 2:
        return chance.choice(_names(tree))
    return chance.choice(VALUES)


def _names(tree: Tree) -> list[str]:
    return [name for section in tree.values() if isinstance(section, dict) for name in section] or ["x"]


def _places(tree: Tree) -> Iterator[Place]:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        if key != "weights":
            yield tree, key
            if isinstance(tree[key], dict | list):
                yield from _places(tree[key])


def _maps(tree: Tree) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(inner, dict | list):
            yield from _maps(inner)


def _copy(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: _copy(value) for key, value in tree.items()}
    return [_copy(value) for value in tree] if isinstance(tree, list) else tree


@cache
def _known_keys() -> tuple[str, ...]:
    """Every key of the language."""
    found: dict[str, None] = {}
    blocks()
    pending: list[type[Model]] = [Model]
    while pending:
        model = pending.pop()
        found.update(dict.fromkeys(model.keys()))
        pending.extend(model.__subclasses__())
    return tuple(sorted(found))
