"""Annotations of fields: how a node becomes a value of the annotated type.

`archspec.schema.reading` runs them when a file is read. Pydantic makes the JSON Schema from the same annotations; to
it they are opaque validators. Its own validator annotations are not used: they inspect every function and describe
syntax trees for serialisation, which is never needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from archspec.record import record


@record(kw_only=False)
class Plain:
    """Annotation: `function` reads the field; the annotated type only serves readers and type checkers."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.function)


@record(kw_only=False)
class Before:
    """Annotation: `function` converts the raw value before the annotated type reads it."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.function, handler(source))


@record(kw_only=False)
class Around:
    """Annotation: `function` gets the raw value, and a handler that reads a value as the annotated type."""

    function: Callable[[Any, Callable[[Any], Any]], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.function, handler(source))
