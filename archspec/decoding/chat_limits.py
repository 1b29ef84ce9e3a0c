"""How much a chat template may make: texts and lists of a limited size, refused before they take memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MOST = 1_000_000
"""The longest text, in characters, and the longest list."""
_WORK = 10 * _MOST
"""The most that a call may make of a text or list, at the longest: its size times that of an argument."""
_BITS = 10_000
_WIDTH = re.compile(r"\d+")
# A width that is taken from an argument is only known when the format is used.
_COMPUTED = re.compile(r"%[^a-zA-Z%]*\*|\{[^{}]*\{")


class _Code(CodeGenerator):
    """Code whose `~` gives no more than the limit."""

    def visit_Concat(self, node: Any, frame: Any) -> None:  # noqa: N802 - Jinja calls it
        self.write("environment.limited(")
        super().visit_Concat(node, frame)
        self.write(")")


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox of Jinja, which limits `range` alone, with limits on what operators, calls and blocks make."""

    code_generator_class = _Code
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """The text of a template, macro or block. Raises jinja2's SecurityError beyond the limit."""
        found, length = [], 0
        for part in parts:
            found.append(part)
            length += len(part)
            _check(length)
        return "".join(found)

    @staticmethod
    def limited(value: Any) -> Any:
        """The value itself. Raises jinja2's SecurityError for a text or list beyond the limit."""
        if isinstance(value, str | list | tuple):
            _check(len(value))
        return value

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """The result of an operator. Raises jinja2's SecurityError beyond the limits."""
        if isinstance(left, int) and isinstance(right, int):
            _check_power(operator, left, right)
        elif operator == "*":
            sized, count = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(sized, str | list | tuple) and isinstance(count, int):
                _check(len(sized) * count)
        elif operator == "%" and isinstance(left, str):
            _check_work(left, (right,))
            _check_widths(left)
        return self.limited(super().call_binop(context, operator, left, right))

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - names of Jinja
        """The result of a call. Raises jinja2's SecurityError beyond the limits."""
        text = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(text, str):
            _check_work(text, (*args, *kwargs.values()))
            if getattr(__obj, "__name__", "") in ("format", "format_map"):
                _check_widths(text)
        return __self.limited(super().call(__context, __obj, *args, **kwargs))


def limited_filter(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that raises jinja2's SecurityError for more than the limits."""

    # What Jinja passes before the value, such as the environment, is marked on the function and stays so.
    leading = 1 if hasattr(plain, "jinja_pass_arg") else 0

    @wraps(plain)
    def found(*args: Any, **kwargs: Any) -> Any:
        value, *others = args[leading:]
        _check_work(value, (*others, *kwargs.values()))
        if name == "format":
            _check_widths(str(value))
        return LimitedEnvironment.limited(plain(*args, **kwargs))

    return found


def _check(length: int) -> None:
    if length > _MOST:
        raise SecurityError(f"it makes a text or list longer than {_MOST:,}")


def _check_work(value: Any, arguments: Iterable[Any]) -> None:
    """Refuse what could be repeated for each part of a value."""
    size = _size(value) if not isinstance(value, int) else 1
    if any((size + 1) * _size(one) > _WORK for one in arguments):
        _check(_WORK)


def _check_widths(text: str) -> None:
    """Refuse a format that pads to more than the limit, or to what is only known when it is used."""
    if _COMPUTED.search(text):
        raise SecurityError("a width in a format must be a number")
    # Longer numbers exceed the limit, leading zeros aside, and need not be converted.
    _check(sum(int(one) if len(one) < 8 else _WORK for one in _WIDTH.findall(text)))


def _check_power(operator: str, left: int, right: int) -> None:
    bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
    if bits > _BITS:
        raise SecurityError(f"it makes a number of more than {_BITS:,} bits")


def _size(value: Any) -> int:
    """The size of a value as an argument: numbers count as sizes."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return len(value) + sum(len(one) for one in value if isinstance(one, str))
    return len(value) if isinstance(value, str) else abs(value) if isinstance(value, int) else 1
