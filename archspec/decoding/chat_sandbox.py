"""Where chat templates run: transformers' rules and functions, in a sandbox that reads no file and changes nothing.

Imported only once a template is to run, since it needs the package jinja2.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.utils import Namespace

from archspec.decoding.chat_limits import LimitedEnvironment, limited_filter


def environment() -> Any:
    """An environment with the whitespace rules, filters and functions that published templates are written for.

    Source: transformers 5.23, `utils/chat_template_utils.py`.
    """
    made = LimitedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    made.filters["tojson"] = _tojson
    made.filters = {name: limited_filter(name, one) for name, one in made.filters.items()}
    made.globals.update(namespace=_namespace, raise_exception=_raise_exception, strftime_now=_strftime_now, dict=_dict)
    return made


class _Generation(Extension):
    """`{% generation %}` marks what the model writes, for training; here it is a block like any other."""

    tags = {"generation"}  # noqa: RUF012 - Jinja reads it

    def parse(self, parser: Any) -> Any:
        """Return the body of the block, in a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class _PlainNamespace(Namespace):
    """A namespace that stores no name with a leading underscore, so that it replaces nothing of Python's own."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"a namespace cannot hold `{name}`")
        super().__setitem__(name, value)


def _namespace(*given: Any, **named: Any) -> Any:
    found = _PlainNamespace()
    for name, value in dict(*given, **named).items():
        found[name] = value
    return found


def _dict(*given: Any, **named: Any) -> dict[Any, Any]:
    return dict(*given, **named)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    # Templates give the model the date of its user, so local time is meant.
    return datetime.now().strftime(format)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
