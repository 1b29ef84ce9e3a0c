"""Annotations of fields: how what is written becomes what the annotated type holds.

`archspec.schema.reading` runs them when a file is read. For pydantic, which makes the JSON Schema from the same
annotations, they are validators that it takes as they are: its own inspect every function and describe syntax trees
for serialisation, which never happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from archspec.record import record


@record(kw_only=False)
class Plain:
    """Annotation: `function` reads the field; the annotated type is for people and type checkers."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.function)


@record(kw_only=False)
class Before:
    """Annotation: `function` turns what is written into what the annotated type reads."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.function, handler(source))


@record(kw_only=False)
class Around:
    """Annotation: `function` gets what is written, and a handler that reads it as the annotated type."""

    function: Callable[[Any, Callable[[Any], Any]], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.function, handler(source))
