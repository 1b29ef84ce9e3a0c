"""The text of one class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from archspec.lower.attributes import made_in_dict
from archspec.lower.code import ClassCode
from archspec.lower.fit import fitted
from archspec.lower.initial import reset_lines
from archspec.lower.layout import signature, statement
from archspec.lower.syntax import name, substitute
from archspec.record import record

_INDENT = "    "
_BODY = _INDENT * 2


@record
class MethodText:
    """The code of a method, the lines of its docstring, and its return annotation, as for `forward`."""

    code: ClassCode
    docstring: Sequence[str] = ()
    output: str = ""


NO_METHODS: Mapping[str, MethodText] = MappingProxyType({})


def class_lines(
    code: ClassCode,
    names: Mapping[str, str],
    own: str,
    reserved: Iterable[str],
    *,
    methods: Mapping[str, MethodText] = NO_METHODS,
    forward_docstring: Sequence[str] = (),
    output: str = "",
) -> list[str]:
    """Source lines of one class.

    Args:
        code: the class.
        names: the name of each class by its token.
        own: the name of this class.
        reserved: names that no variable may take.
        methods: other methods, by name.
        forward_docstring: lines of the docstring of `forward`, without indentation.
        output: return annotation of `forward`; if empty, `Tensor` or a tuple of tensors.
    """
    lines = [f"class {own}(nn.Module):", *_init(code, names)]
    lines += [""] if code.attributes else []
    lines += method_lines("forward", code, frozenset(reserved), forward_docstring, output)
    for method, found in methods.items():
        text = method_lines(method, found.code, frozenset(reserved), found.docstring, found.output)
        lines += ["", *text]
    return lines


def _init(code: ClassCode, names: Mapping[str, str]) -> list[str]:
    """Lines of `__init__`, and of `reset_parameters` where parameters do not start as `torch.nn` starts them."""
    if not code.attributes:
        return []
    lines = [f"{_INDENT}def __init__(self) -> None:", f"{_BODY}super().__init__()"]
    classes = {token: name(found) for token, found in names.items()}
    for first, members in code.attributes.top():
        lines += statement(f"self.{first} = ", substitute(made_in_dict(members), classes), indent=_BODY)
    resets = reset_lines(code.attributes, _BODY)
    if not resets:
        return lines
    lines.append(f"{_BODY}self.reset_parameters()")
    return [*lines, "", f"{_INDENT}def reset_parameters(self) -> None:", *resets]


def method_lines(
    method: str, code: ClassCode, reserved: frozenset[str], docstring: Sequence[str] = (), output: str = ""
) -> list[str]:
    """Lines of one method, signature, docstring and body; for the arguments see `class_lines`."""
    given, lines = fitted(code, reserved, _BODY)
    parameters = ["self", *_parameters(code, given)]
    returned = output or _returned(code)
    head = signature(f"def {method}(", parameters, f") -> {returned}:", _INDENT)
    return [*head, *(_BODY + line if line else "" for line in docstring), *lines]


def _parameters(code: ClassCode, given: Mapping[str, str]) -> list[str]:
    """The arguments in order; those after the first optional one are keyword-only."""
    parameters = [_parameter(code, token, given[token]) for token in code.arguments]
    first = next((n for n, token in enumerate(code.arguments, 1) if token in code.optional), len(parameters))
    return [*parameters[:first], *(["*"] if parameters[first:] else []), *parameters[first:]]


def _parameter(code: ClassCode, token: str, given: str) -> str:
    """An argument with its annotation; `given` is its name. Optional arguments default to None."""
    annotation = code.variables[token].annotation
    return f"{given}: {annotation} | None = None" if token in code.optional else f"{given}: {annotation}"


def _returned(code: ClassCode) -> str:
    """The return annotation: a tensor, or a tuple of what is returned."""
    if any(isinstance(result, ast.Starred) for result in code.results):
        return "tuple[Tensor, ...]"
    types = [_annotation(code, result) for result in code.results]
    return types[0] if len(types) == 1 else f"tuple[{', '.join(types)}]"


def _annotation(code: ClassCode, result: ast.expr) -> str:
    """The annotation of a result: that of a variable, or else a tensor."""
    found = code.variables.get(result.id) if isinstance(result, ast.Name) else None
    return "Tensor" if found is None else found.annotation
