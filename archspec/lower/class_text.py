"""The text of one class."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence

from archspec.lower.attributes import made_in_dict
from archspec.lower.code import Code, Default, Loop, Statement, Step
from archspec.lower.initial import reset_lines
from archspec.lower.inline import Plan
from archspec.lower.layout import signature, statement
from archspec.lower.region import finished
from archspec.lower.syntax import name, names, parse, substitute
from archspec.lower.text import flat
from archspec.lower.variables import name_variables

_INDENT = "    "
_BODY = _INDENT * 2
_WORTH_A_NAME = 16


def class_lines(
    code: Code,
    names: Mapping[str, str],
    own: str,
    reserved: Iterable[str],
    *,
    forward_docstring: Sequence[str] = (),
    output: str = "",
) -> list[str]:
    """Lines of the class called `own`. `names` maps class tokens; variables keep off the `reserved` names.

    `output` is what `forward` returns (default: a tensor, or a tuple of them).
    """
    lines = [f"class {own}(nn.Module):", *_init(code, names)]
    lines += [""] if code.attributes else []
    return lines + _forward(code, frozenset(reserved), forward_docstring, output)


def _init(code: Code, names: Mapping[str, str]) -> list[str]:
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


def _forward(code: Code, reserved: frozenset[str], docstring: Sequence[str], output: str) -> list[str]:
    given, lines = _fitted(code, reserved)
    parameters = ["self", *(_parameter(code, token, given[token]) for token in code.arguments)]
    returned = output or _returned(len(code.results))
    head = signature("def forward(", parameters, f") -> {returned}:", _INDENT)
    return [*head, *(_BODY + line if line else "" for line in docstring), *lines]


def _parameter(code: Code, token: str, given: str) -> str:
    annotation = code.variables[token].annotation
    return f"{given}: {annotation} | None = None" if token in code.optional else f"{given}: {annotation}"


def _returned(count: int) -> str:
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _fitted(code: Code, reserved: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Names and lines; as long as a statement does not fit on a line, a part of it becomes a variable."""
    variables: frozenset[str] = frozenset()
    while True:
        plan = finished(code, code.arguments, variables)
        given = name_variables(code, plan, reserved)
        written = [*(_lines(one, given) for one in plan.statements), _return(code, plan, given)]
        split = _to_split(code, plan, written)
        if not split:
            return given, [line for lines in written for line in lines]
        variables |= {split}


def _to_split(code: Code, plan: Plan, written: Sequence[Sequence[str]]) -> str:
    """The inlined value whose being a variable leaves the shortest lines; "" where all is well or cannot be helped."""
    for lines, parts in zip(written, plan.inlined, strict=True):
        if len(lines) == 1 or lines[0].endswith((":", "= []")) or not parts:
            continue
        lengths = _lengths(code, parts)
        total = max(lengths.values()) + len(lines[0])
        best = min(parts, key=lambda part: max(lengths[part], total - lengths[part]))
        if lengths[best] > _WORTH_A_NAME:
            return best
    return ""


def _lengths(code: Code, parts: Sequence[str]) -> dict[str, int]:
    """Lengths of inlined values with all that is inlined in them."""
    values = {one.targets[0]: one.value for one in code.statements if isinstance(one, Step)}
    lengths: dict[str, int] = {}
    for part in reversed(parts):
        inner = sum(lengths.get(found, 0) for found in names(values[part]))
        lengths[part] = len(flat(values[part])) + inner
    return lengths


def _lines(one: Statement, given: Mapping[str, str]) -> list[str]:
    named = {token: name(found) for token, found in given.items()}
    value = substitute(one.value, named)
    if isinstance(one, Default):
        target = given[one.target]
        return [
            f"{_BODY}if {target} is None:",
            *statement(f"{target} = ", value, indent=_BODY + _INDENT),
        ]
    if isinstance(one, Loop):
        return _loop(one, given, named, value)
    targets = ", ".join(given[target] for target in one.targets)
    return statement(f"{targets} = ", value, indent=_BODY)


def _loop(one: Loop, given: Mapping[str, str], named: Mapping[str, ast.expr], value: ast.expr) -> list[str]:
    lines = [f"{_BODY}{given[found]} = []" for found, _ in one.collected]
    start = substitute(one.start, named)
    if flat(start) != given[one.carried]:
        lines += statement(f"{given[one.carried]} = ", start, indent=_BODY)
    header = substitute(one.header, named)
    lines += statement(f"for {_targets(header)} in ", substitute(one.over, named), ":", _BODY)
    targets = ", ".join(given[token] for token in (one.carried, *one.extra))
    lines += statement(f"{targets} = ", value, indent=_BODY + _INDENT)
    return [*lines, *(f"{_BODY}{_INDENT}{given[found]}.append({given[token]})" for found, token in one.collected)]


def _targets(header: ast.expr) -> str:
    return ", ".join(flat(part) for part in header.elts) if isinstance(header, ast.Tuple) else flat(header)


def _return(code: Code, plan: Plan, given: Mapping[str, str]) -> list[str]:
    named = {token: name(found) for token, found in given.items()}
    results = [substitute(result, named) for result in plan.results]
    if not code.output_names or len(results) == 1:
        value = results[0] if len(results) == 1 else ast.Tuple(results)
    else:
        call = parse("Outputs()")
        assert isinstance(call, ast.Call)
        call.args = results
        value = call
    return statement("return ", value, indent=_BODY)
