"""Make the JSON Schema of the language from the models that read it; editors use it to complete and check specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.blocks.parts.attention import AttentionFields
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.feed_forward import FeedForwardFields
from archspec.blocks.parts.pattern import PatternFields
from archspec.blocks.parts.sublayers import Sublayers
from archspec.blocks.patch_embedding import PatchEmbeddingBlock
from archspec.blocks.registry import blocks
from archspec.schema.model import Model
from archspec.spec.document import DimFields, FileModel
from archspec.spec.rule_item import item_schema
from archspec.spec.rules import rule_words
from archspec.spec.schema_bodies import bodies, in_body
from archspec.spec.schema_changes import change, changes, node_change

Schema = dict[str, Any]
_NODE = {"$ref": "#/$defs/Node"}
_OWN_NODE = {"$ref": "#/$defs/OwnNode"}


def json_schema() -> Schema:
    """The schema of a spec file (JSON Schema, draft 2020-12)."""
    from pydantic.json_schema import models_json_schema

    known = blocks()
    rules = {word: kind.fields for word, kind in rule_words().items()}
    models: list[type[Model]] = [FileModel, *known.values(), *rules.values()]
    for model in models:
        model.model_rebuild()
    _, made = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    classes = {model.__name__: model for model in _subclasses(Model)}
    definitions = {name: _read(schema, classes.get(name)) for name, schema in made["$defs"].items()}
    for word, block in known.items():
        definitions[block.__name__] = _named(definitions[block.__name__], word, block)
    file = definitions.pop(FileModel.__name__)
    definitions["RuleItem"] = item_schema(
        {word: {"$ref": f"#/$defs/{fields.__name__}"} for word, fields in rules.items()}
    )
    definitions["Node"] = _node(known)
    definitions["OwnNode"] = _node_among_own(definitions["Node"], list(known))
    definitions["BlockFields"]["properties"]["graph"]["additionalProperties"] = _OWN_NODE
    definitions |= _changes(definitions, known)
    definitions |= bodies(definitions, "OwnNode", "OwnNodeChange")
    for section in ("BlockFields", "BlockFieldsChange"):
        graph = definitions[section]["properties"]["graph"]
        graph["additionalProperties"] = in_body(graph["additionalProperties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_whole_and_changes(file),
        "required": ["archspec"],
        "$defs": definitions,
    }


def _changes(definitions: dict[str, Schema], known: Mapping[str, type[Block]]) -> dict[str, Schema]:
    """The definitions of fields that override others; those for kinds of layers are set in `definitions` too."""
    sections = ("DimFields", "InputFields", "DefaultsFields", "BlockFields", "OutputFields", "DecodeFields")
    others = ("CountsFields", "ReducedFields", *(block.__name__ for block in known.values()))
    made = changes({**definitions, "Node": {}, "OwnNode": {}}, *sections, *others)
    for block in known.values():
        properties = definitions[block.__name__]["properties"]
        if "kinds" in properties:
            properties["kinds"] = change(properties["kinds"])
    made["NodeChange"] = made["OwnNodeChange"] = node_change({word: block.__name__ for word, block in known.items()})
    return made


def _whole_and_changes(file: Schema) -> Schema:
    """The schema of a file: the whole sections, or only the changes in a file that extends another."""
    graph = {**file["properties"]["graph"], "additionalProperties": True}
    whole, extends = {**file["properties"], "graph": graph}, {"required": ["extends"]}
    laid_over = {name: one if name == "rules" else change(one) for name, one in whole.items()}
    laid_over["graph"] = {**graph, "additionalProperties": {"$ref": "#/$defs/NodeChange"}}
    has_own = {"required": ["blocks"]}
    named = {name: {"description": one["description"]} for name, one in whole.items()}
    required = ["archspec", "inputs", "graph", "outputs", "name"]
    return {
        **file,
        "properties": named,
        "allOf": [
            {"if": extends, "then": {"properties": laid_over}},
            {"if": {"not": extends}, "then": {"properties": whole, "required": required}},
            {"if": {**has_own, "not": extends}, "then": _graph_of(_OWN_NODE)},
            {"if": {"not": {"anyOf": [has_own, extends]}}, "then": _graph_of(_NODE)},
        ],
    }


def _subclasses(model: type[Model]) -> Iterator[type[Model]]:
    for found in model.__subclasses__():
        yield found
        yield from _subclasses(found)


def _read(schema: Schema, model: type[Model] | None) -> Schema:
    """The schema that pydantic makes, extended by the forms that a model accepts besides a map."""
    cleaned: Schema = _cleaned(schema)
    if model is None:
        return cleaned
    if issubclass(model, (AttentionFields, FeedForwardFields, Sublayers)):
        # A required field may come from every kind, and a kind gives only what it changes.
        return {key: value for key, value in cleaned.items() if key != "required"}
    if issubclass(model, DimFields):
        return _or_list(cleaned, {"type": ["integer", "string"]}, {"minItems": 3, "maxItems": 3})
    if issubclass(model, PatternFields):
        return _or_list(cleaned, {"type": "string"}, {"minItems": 1})
    if issubclass(model, PatchEmbeddingBlock):
        patch = cleaned["properties"]["patch"]
        wider = _or_list(patch["items"], patch["items"], {"minItems": 2, "maxItems": 2})
        cleaned["properties"]["patch"] = {**wider, "description": patch["description"]}
    if model.shorthand is not None and not issubclass(model, Block):
        word = cleaned["properties"][_alias(model, model.shorthand)]
        return {"anyOf": [cleaned, word, {"type": "number"}], "description": cleaned.get("description", "")}
    return cleaned


def _or_list(schema: Schema, item: Schema, sizes: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": item, **sizes}], "description": schema.get("description", "")}


def _alias(model: type[Model], name: str) -> str:
    return model.model_fields[name].alias or name


def _cleaned(schema: Any) -> Any:
    """The schema with `none` in place of null, without titles, and with references for nodes and rules."""
    if isinstance(schema, list):
        return [_cleaned(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "null":
        return {"const": "none"}
    if schema.get("format") in ("node", "rule"):
        return _NODE if schema["format"] == "node" else {"$ref": "#/$defs/RuleItem"}
    # A property may be called `title` or `default`; it is kept, and known by its value, which is a map.
    dropped = {"title"} | ({"default"} if schema.get("default", 0) is None else set())
    names = "properties" in schema
    return {
        key: {name: _cleaned(one) for name, one in value.items()} if key == "properties" and names else _cleaned(value)
        for key, value in schema.items()
        if key not in dropped or isinstance(value, dict)
    }


def _named(schema: Schema, word: str, block: type[Block]) -> Schema:
    """The schema of a block with its word; the field that a chain feeds is not required."""
    required = [name for name in schema.get("required", []) if name != block.feeds]
    return {
        **schema,
        "properties": {"block": {"const": word}, **schema["properties"]},
        "required": ["block", *required],
    }


def _node(known: Mapping[str, type[Block]]) -> Schema:
    """The schema of a node: an expression, a chain, a reuse, or the block that its `block` names."""
    one_of_them = [
        {
            "if": {"properties": {"block": {"const": word}}, "required": ["block"]},
            "then": {"$ref": f"#/$defs/{block.__name__}"},
        }
        for word, block in known.items()
    ]
    reuse = {"properties": {"reuse": {"type": "string", "description": "the node whose module runs again"}}}
    block = {"properties": {"block": {"enum": list(known)}}, "required": ["block"], "allOf": one_of_them}
    return {
        "description": "a block, a chain of nodes, a reuse, or an expression over values",
        "anyOf": [
            {"type": ["string", "number"]},
            {"type": "array", "items": _NODE, "minItems": 1},
            {"type": "object", **reuse, "required": ["reuse"]},
            {"type": "object", **block},
        ],
    }


def _graph_of(node: Schema) -> Schema:
    return {"properties": {"graph": {"additionalProperties": node}}}


def _node_among_own(node: Schema, known: list[str]) -> Schema:
    """The schema of a node in a file that defines blocks, whose names the schema cannot know."""
    text, chain, reuse, block = node["anyOf"]
    own = {"type": "object", "properties": {"block": {"type": "string", "not": {"enum": known}}}, "required": ["block"]}
    return {**node, "anyOf": [text, {**chain, "items": _OWN_NODE}, reuse, block, own]}
