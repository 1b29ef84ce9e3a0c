"""What a class makes in `__init__`, under paths that give the state dict exactly the spec's names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import field

from archspec.ir.graph import Parameter
from archspec.lower.errors import TakenName
from archspec.lower.naming import may_be_attribute
from archspec.lower.syntax import parse
from archspec.record import record


@record
class Attribute:
    """A submodule or a bare parameter, and how it is made.

    `parameters` are those it holds itself, by their names in it ("" for the bare one); `inner` is the structure of
    the class behind it, if it is a module of ours.
    """

    made: ast.expr
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    inner: Attributes | None = None
    is_module: bool = True


class Attributes:
    """The attributes of one class in order, by path relative to it: `q`, or `logits.1`, which a dict holds."""

    def __init__(self) -> None:
        self._found: dict[str, Attribute] = {}

    def declare(self, path: str, attribute: Attribute) -> bool:
        """Declare an attribute; one that is used again is there already. False where that is another.

        Raises TakenName where no module can have such an attribute.
        """
        first, *rest = path.split(".")
        if not may_be_attribute(first) or not all(part.isalnum() or part.isidentifier() for part in rest):
            raise TakenName(first)
        found = self._found.setdefault(path, attribute)
        return ast.dump(found.made) == ast.dump(attribute.made)

    def __bool__(self) -> bool:
        return bool(self._found)

    def items(self) -> Iterator[tuple[str, Attribute]]:
        """Paths and attributes in order."""
        return iter(self._found.items())

    def top(self) -> Iterator[tuple[str, dict[str, Attribute]]]:
        """Attributes by the first part of their paths; several parts are held by a dict of modules or parameters."""
        grouped: dict[str, dict[str, Attribute]] = {}
        for path, attribute in self._found.items():
            first, _, rest = path.partition(".")
            grouped.setdefault(first, {})[rest] = attribute
        return iter(grouped.items())

    def locate(self, parameter: Parameter, owner: str = "self") -> str | None:
        """Source of a parameter held in here or below: `self.source.table`."""
        for path, attribute in self._found.items():
            source = access(path, owner)
            for local, held in attribute.parameters.items():
                if held is parameter:
                    return f"{source}.{local}" if local else source
            found = attribute.inner.locate(parameter, source) if attribute.inner else None
            if found:
                return found
        return None


def access(path: str, owner: str = "self") -> str:
    """Source of the attribute at a path: what stands below the first part is held by dicts."""
    first, *rest = path.split(".")
    return f"{owner}.{first}" + "".join(f'["{part}"]' for part in rest)


def made_in_dict(members: Mapping[str, Attribute]) -> ast.expr:
    """Constructor of the dict that holds attributes whose paths go on below one name."""
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
        # A dict of parameters made from a dict sorts its names, one made from pairs does not.
        call.args = [ast.List([ast.Tuple(list(pair)) for pair in zip(keys, values, strict=True)])]
    return call
