"""The complete text of an emitted file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from archspec.ir.graph import Graph
from archspec.lower.body_site import BodyInterface, BodySite
from archspec.lower.cached import METHODS, Cached, cache_class
from archspec.lower.cached_methods import decoding_methods, decoding_texts
from archspec.lower.class_text import MethodText, class_lines
from archspec.lower.classes import token
from archspec.lower.code import ClassCode
from archspec.lower.defaults import Number, make_optional, require_bools
from archspec.lower.docs import Header, file_docstring, forward_docstring, outputs_class
from archspec.lower.naming import ALWAYS_TAKEN, class_name
from archspec.lower.region import Lowering, finished
from archspec.lower.syntax import names


def module_file(
    graph: Graph, header: Header, defaults: Mapping[str, Number] | None = None, cached: Cached | None = None
) -> str:
    """The PyTorch file of a graph: one formatted text that imports only torch and the standard library.

    Args:
        graph: the graph to emit.
        header: name and origin. The model is the last class, with the name `class_name(header.name)`.
        defaults: default values by name, for inputs that may be omitted.
        cached: the cached step, for a decoder.

    Raises:
        LoweringError: if a module cannot express the graph.
    """
    lowering = Lowering() if cached is None else Lowering(cached.graphs, METHODS)
    everything = range(len(graph.inputs))
    # Inputs that nothing reads stay arguments: callers pass all declared inputs.
    code, _ = lowering.body(graph, BodySite(), BodyInterface(forced=everything))
    make_optional(code, graph, defaults or {})
    require_bools(code, graph)
    code.output_names = graph.output_names
    methods = {} if cached is None else decoding_methods(lowering, cached, code.attributes)
    lowering.classes.add(code, finished(code, code.arguments), methods)
    return file_text(lowering, header, _classes(lowering, graph, header, defaults or {}, cached))


def flat_text(lowering: Lowering, code: ClassCode, header: Header) -> str:
    """The file of a module without further methods, whose code was given arguments and results of its own."""
    lowering.classes.add(code, finished(code, code.arguments))
    taken = {*ALWAYS_TAKEN, *lowering.helpers.sources}
    given = lowering.classes.names(class_name(header.name), sorted(taken))
    tokens = {token(number): found for number, found in given.items()}
    classes = (
        class_lines(one.code, tokens, given[number], {*taken, *given.values()})
        for number, one in enumerate(lowering.classes.all)
    )
    return file_text(lowering, header, classes)


def file_text(lowering: Lowering, header: Header, classes: Iterable[list[str]]) -> str:
    """The file with the helpers and the lines of the classes."""
    parts = [source.splitlines() for source in lowering.helpers.sources.values()]
    parts += classes
    body = "\n\n\n".join("\n".join(part) for part in parts) + "\n"
    return "\n".join([*file_docstring(header), "", *_imports(body)]) + "\n\n\n" + body


def _classes(
    lowering: Lowering, graph: Graph, header: Header, defaults: Mapping[str, Number], cached: Cached | None
) -> Iterable[list[str]]:
    """Lines of each class, the model last, and before it the named tuple of its outputs if there are several."""
    taken = {*ALWAYS_TAKEN, *lowering.helpers.sources, *(() if cached is None else ("Cache",))}
    given = lowering.classes.names(class_name(header.name), sorted(taken))
    reserved = {*taken, *given.values()}
    tokens = {token(number): found for number, found in given.items()}
    *inner, (last, root) = enumerate(lowering.classes.all)
    for number, found in inner:
        yield class_lines(
            found.code,
            tokens,
            given[number],
            reserved,
            methods={name: MethodText(code=code) for name, code in found.methods.items()},
        )
    several = len(graph.outputs) > 1
    if several:
        yield outputs_class(graph)
    if cached is not None:
        yield cache_class(cached)
    yield class_lines(
        root.code,
        tokens,
        given[last],
        reserved,
        methods={} if cached is None else decoding_texts(cached, root.methods),
        forward_docstring=forward_docstring(graph, defaults),
        output="Outputs" if several else "",
    )


def _imports(body: str) -> list[str]:
    """Lines of the imports that the text uses, in the order of isort; `Tensor` and `nn` are always imported."""
    found = set(names(ast.parse(body)))
    lines = ["from __future__ import annotations", ""]
    lines += ["import math"] if "math" in found else []
    lines += ["from typing import NamedTuple"] if "NamedTuple" in found else []
    lines += [""] if len(lines) > 2 else []
    lines += ["import torch"] if "torch" in found else []
    lines += ["import torch.nn.functional as F"] if "F" in found else []
    return [*lines, "from torch import Tensor, nn"]
