"""A validator that pydantic takes as it is.

pydantic's own PlainValidator also builds a schema of the annotated type, for serialisation. For syntax trees that is
most of the time that a start would take, and they are never serialised.
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
