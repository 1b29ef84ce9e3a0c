"""Make the class of a user-defined block: its fields and inputs become fields of a block model."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from archspec.blocks.activation import ActField
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.norm_fields import NormField
from archspec.masks.field import MaskField
from archspec.schema.init import InitFields
from archspec.schema.model import MAYBE
from archspec.schema.reading import plain, reader
from archspec.schema.sorts import BoolField, ExprField, ValueField
from archspec.spec.composite_call import CompositeCall, CompositeFields
from archspec.spec.composite_definition import Definition
from archspec.spec.context import NodeContext
from archspec.text.nodes import Node
from archspec.text.value import ValueExpr

RESERVED_FIELDS = frozenset({*Block.keys(), "block", "reuse"})
"""Keys that every block has."""

SORTS: Mapping[str, Any] = {
    "size": ExprField,
    "number": ExprField,
    "bool": BoolField,
    "activation": ActField,
    "norm": NormField,
    "mask": MaskField,
    "init": Annotated[InitFields | None, MAYBE],
}
"""The annotation of a field of a block by its sort."""


class CompositeBlock(CompositeFields):
    """A user-defined block. Its fields are attributes `field_NAME`, its inputs `input_NAME`."""

    definition: ClassVar[Any]

    @property
    def fed(self) -> ValueExpr:
        """The expression of the input that a chain or a repeat feeds."""
        found: ValueExpr = getattr(self, f"input_{self.feeds}")
        return found

    def build(self, cx: Context) -> Built:
        """Build the body of the block as a module. Raises SpecError, each finding with the place of the call."""
        assert isinstance(cx, NodeContext)
        return CompositeCall(definition=self.definition, block=self, cx=cx).build()


def block_of(definition: Definition) -> type[Block]:
    """Make the block class of a definition. A chain feeds the input named `input`, otherwise the first one."""
    inputs = definition.fields.inputs
    fields: dict[str, Any] = {f"input_{name}": (ValueField, Field(alias=name)) for name in inputs}
    for name, one in definition.fields.fields.items():
        fields[f"field_{name}"] = (SORTS[one.type], _field(name, one.default))
    # Prefixes keep names of the file apart from attributes of the model: a field may be called `build` or `span`.
    made = create_model(f"Composite_{definition.name}", __base__=CompositeBlock, **fields)
    made.block = definition.name
    made.feeds = "input" if "input" in inputs else next(iter(inputs))
    made.definition = definition
    return made


def _field(name: str, default: Node | None) -> Any:
    """The pydantic field for a field of a block; it is required unless the field has a default."""
    if default is None:
        return Field(alias=name)
    return Field(alias=name, default_factory=lambda: default, validate_default=True)


def check_default(sort: str, default: Node) -> None:
    """Check that the default of a field can be read by its sort. Raises SpecError if it cannot."""
    reader(SORTS[sort])(plain(default))
