"""Validators that pydantic takes as they are.

pydantic's own annotations look at the signature of each function, and PlainValidator also builds a schema of the
annotated type, for serialisation. For models of syntax trees that is most of the time that a start would take, and
they are never serialised.
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
