"""Attributes that a class creates in `__init__`, under paths that give the state dict exactly the spec's names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import field

from archspec.ir.graph import Parameter
from archspec.lower.errors import TakenByMethod, TakenName
from archspec.lower.naming import may_be_attribute
from archspec.lower.syntax import parse
from archspec.record import record


@record
class Attribute:
    """A submodule or a bare parameter, and the expression that creates it.

    `parameters` are those that it holds itself, by their local names ("" for a bare parameter). `inner` holds the
    attributes of its class if that class is emitted too. `is_module` is false for a bare parameter or buffer.
    """

    made: ast.expr
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    inner: Attributes | None = None
    is_module: bool = True


class Attributes:
    """The attributes of one class in order, by path relative to it: `q`, or `logits.1`, which is held by a dict.

    `methods` are names that the class may give to methods other than `forward`.
    """

    def __init__(self, methods: frozenset[str] = frozenset()) -> None:
        self._found: dict[str, Attribute] = {}
        self._methods = methods

    def declare(self, path: str, attribute: Attribute) -> bool:
        """Declare an attribute, unless its path is declared already.

        Args:
            path: the path relative to the class.
            attribute: the attribute; for a path that is declared already only its constructor is compared.

        Returns:
            false if another constructor is declared under the path.

        Raises:
            TakenName, TakenByMethod: if the module cannot have an attribute of this name.
        """
        first, *rest = path.split(".")
        if first in self._methods:
            raise TakenByMethod(first)
        # The parts behind the first are keys of dicts, which may be numbers.
        if not may_be_attribute(first) or not all(part.isalnum() or part.isidentifier() for part in rest):
            raise TakenName(first)
        found = self._found.setdefault(path, attribute)
        # Compared by their dumps, because syntax trees have no equality of their own.
        return ast.dump(found.made) == ast.dump(attribute.made)

    def __bool__(self) -> bool:
        return bool(self._found)

    def items(self) -> Iterator[tuple[str, Attribute]]:
        """Paths and attributes in order."""
        return iter(self._found.items())

    def top(self) -> Iterator[tuple[str, dict[str, Attribute]]]:
        """Attributes grouped by the first part of their paths, and keyed by the rest, "" where there is none.

        A group with a rest becomes a dict of modules or of parameters.
        """
        grouped: dict[str, dict[str, Attribute]] = {}
        for path, attribute in self._found.items():
            first, _, rest = path.partition(".")
            grouped.setdefault(first, {})[rest] = attribute
        return iter(grouped.items())

    def locate(self, parameter: Parameter, owner: str = "self") -> str | None:
        """Source of a parameter held by this class or below it, such as `self.source.table`; None if it is not.

        Parameters are compared by identity. `owner` is the source of the instance of this class.
        """
        for path, attribute in self._found.items():
            source = access(path, owner)
            # By identity: two parameters with equal types and initialisations are still two tensors.
            for local, held in attribute.parameters.items():
                if held is parameter:
                    return f"{source}.{local}" if local else source
            found = attribute.inner.locate(parameter, source) if attribute.inner else None
            if found:
                return found
        return None


def access(path: str, owner: str = "self") -> str:
    """Source of the attribute at a path: `logits.1` is `self.logits["1"]`, because dicts hold all further parts."""
    first, *rest = path.split(".")
    return f"{owner}.{first}" + "".join(f'["{part}"]' for part in rest)


def made_in_dict(members: Mapping[str, Attribute]) -> ast.expr:
    """Constructor of an attribute, or of the nested dicts that hold the attributes under one name.

    Args:
        members: attributes by the rest of their paths; "" for an attribute of that name itself.

    Returns:
        an `nn.ModuleDict`, or an `nn.ParameterDict` if all members are bare parameters at one level.
    """
    if "" in members:
        return members[""].made
    grouped: dict[str, dict[str, Attribute]] = {}
    for path, attribute in members.items():
        first, _, rest = path.partition(".")
        grouped.setdefault(first, {})[rest] = attribute
    values = [made_in_dict(inner) for inner in grouped.values()]
    is_module = any(attribute.is_module or "." in path for path, attribute in members.items())
    call = parse("nn.ModuleDict()" if is_module else "nn.ParameterDict()")
    assert isinstance(call, ast.Call)
    keys: list[ast.expr] = [ast.Constant(key) for key in grouped]
    if is_module or list(grouped) == sorted(grouped):
        call.args = [ast.Dict([*keys], values)]
    else:
        # `nn.ParameterDict` sorts the keys of a plain dict, but keeps the order of pairs.
        call.args = [ast.List([ast.Tuple(list(pair)) for pair in zip(keys, values, strict=True)])]
    return call
