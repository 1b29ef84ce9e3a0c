"""The methods `new_cache` and `step` of the model of a decoder."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.lower.attributes import Attributes
from archspec.lower.body_site import BodyInterface, BodySite
from archspec.lower.cached import STEP, Cached
from archspec.lower.class_text import MethodText
from archspec.lower.code import Assignment, ClassCode, Default, Do, Require, Slots, Statement, Variable
from archspec.lower.defaults import DTYPES, default_values
from archspec.lower.docs import new_cache_docstring, step_docstring
from archspec.lower.inline import InlinePlan
from archspec.lower.region import Lowering, finished
from archspec.lower.syntax import name, parse
from archspec.lower.writes import RING_SLOTS, WHOLE_SLOTS


def decoding_methods(
    lowering: Lowering, cached: Cached, attributes: Attributes
) -> dict[str, tuple[ClassCode, InlinePlan]]:
    """The methods that the model has in addition to `forward`."""
    codes = {"new_cache": new_cache_code(lowering, cached, attributes), STEP: step_code(lowering, cached, attributes)}
    return {name: (code, finished(code, code.arguments)) for name, code in codes.items()}


def decoding_texts(cached: Cached, codes: Mapping[str, ClassCode]) -> dict[str, MethodText]:
    """These methods with their docstrings."""
    made = new_cache_docstring(cached.given, cached.defaults)
    step = step_docstring(cached.fed, cached.step.outputs[0], cached.step.output_names[0], cached.defaults)
    return {
        "new_cache": MethodText(code=codes["new_cache"], docstring=made, output="Cache"),
        STEP: MethodText(code=codes[STEP], docstring=step, output="tuple[Tensor, Cache]"),
    }


def step_code(lowering: Lowering, cached: Cached, attributes: Attributes) -> ClassCode:
    """The method `step` of the model."""
    graph = cached.step
    code, _ = lowering.body(graph, BodySite(), BodyInterface(forced=range(len(graph.inputs)), attributes=attributes))
    return _Step(lowering, cached, code).run()


class _Step:
    """Turns the lowered step into a method that takes the cache: what it holds is read from it first."""

    def __init__(self, lowering: Lowering, cached: Cached, code: ClassCode) -> None:
        self.lowering = lowering
        self.cached = cached
        self.code = code
        # The arguments behind the inputs are what the body needs besides (see `needs`).
        self.tokens = {value.name: token for value, token in zip(cached.step.inputs, code.arguments, strict=False)}
        self.cache = code.variable(Variable(hint="cache", annotation="Cache"))
        self.counts = code.variable(Variable(hint="counts"))
        self.length = code.variable(Variable(hint="length", annotation="int"))
        # In a step the dim of positions is the part of the buffers that is read, not their capacity.
        code.known[Dim.of(cached.found.length)] = self.length
        for one in cached.found.state:
            token = self.tokens[one.name]
            code.variables[token] = replace(code.variables[token], hint=cached.fields[one.name])

    def run(self) -> ClassCode:
        code, cached = self.code, self.cached
        ids = self.tokens[cached.source]
        fed = {value: self.tokens[value.name] for value in cached.fed}
        optional = [token for value, token in fed.items() if value.name in cached.defaults]
        required = [token for token in fed.values() if token not in optional]
        counts = Default(target=self.counts, value=parse(f"torch.full_like({self.cache}.past, {ids}.shape[1])"))
        filled = default_values(code, fed, cached.defaults)
        # Counts that were left out need no check, for which the device would be waited for.
        own = Do(value=parse(f"{self.cache}.check_counts({self.counts}, {ids}.shape[1])"))
        checked = Do(value=parse(f"{self.cache}.check({self.counts}, {ids}.shape[1])"))
        code.statements[:0] = [own, counts, checked, *filled, *self.reads(ids), *self.needs(ids)]
        # In Python no argument without a default follows one with a default.
        code.arguments = [*required, self.cache, self.counts, *optional]
        code.optional = frozenset([self.counts, *optional])
        # They are made from the cache above, so no caller passes them.
        code.needs = []
        past = self.tokens["past"]
        # Buffers are written in place: of the new cache only the counts differ.
        code.results.append(parse(f"{self.cache}._replace(past={past} + {self.counts}, longest={self.length})"))
        return code

    def assign(self, token: str, source: str) -> Assignment:
        return Assignment(targets=(token,), value=parse(source))

    def reads(self, ids: str) -> list[Statement]:
        """Statements that take the parts of the cache: of whole buffers the entries that the step needs."""
        cached, cache = self.cached, self.cache
        made: list[Statement] = [
            self.assign(self.tokens["past"], f"{cache}.past"),
            self.assign(self.length, f"{cache}.length({ids}.shape[1])"),
        ]
        made += [self.assign(self.tokens[value.name], f"{cache}.{cached.field_of(value)}") for value in cached.held]
        for one in cached.found.state:
            source = f"{cache}.{cached.fields[one.name]}"
            if one.kind == "whole" and one.axis is not None:
                # A slice is a view: what is written into it is written into the buffer.
                source = f"{source}[{':, ' * one.axis}:{self.length}]"
            made.append(self.assign(self.tokens[one.name], source))
        if "last" in self.tokens:
            made.append(self.assign(self.tokens["last"], f"{self.counts} - 1"))
        if "count" in self.tokens:
            made.append(self.assign(self.tokens["count"], self.counts))
        return made

    def needs(self, ids: str) -> list[Statement]:
        """Statements that make what the body needs besides: places to write, and the capacity."""
        tokens = self.code.arguments[len(self.cached.step.inputs) :]
        past, helpers = self.tokens["past"], self.lowering.helpers
        made: list[Statement] = []
        for need, token in zip(self.code.needs, tokens, strict=True):
            match need.what:
                case Slots(ring=None):
                    source = f"{helpers.add(WHOLE_SLOTS)}({past}, {ids}.shape[1], {self.length})"
                case Slots(ring=ring):
                    source = f"{helpers.add(RING_SLOTS)}({past}, {self.counts}, {ids}.shape[1], {ring})"
                case Symbol() as symbol if symbol == self.cached.found.length:
                    source = self.code.known[Dim.of(symbol)]
                case _:
                    raise ValueError(f"a step has no {need.what}")
            made.append(self.assign(token, source))
        return made


def new_cache_code(lowering: Lowering, cached: Cached, attributes: Attributes) -> ClassCode:
    """The method `new_cache` of the model: empty buffers, and what is computed once."""
    once, given = cached.once, cached.given
    code, inputs = ClassCode(kind="", path="", attributes=attributes), list[str]()
    if once is not None:
        code, _ = lowering.body(once, BodySite(), BodyInterface(forced=range(len(once.inputs)), attributes=attributes))
        inputs = code.arguments
    inputs = inputs + [code.variable(Variable(hint=value.name, type=value.type)) for value in given[len(inputs) :]]
    tokens = dict(zip(given, inputs, strict=True))
    made = {} if once is None else dict(zip(once.output_names, code.results, strict=True))
    rows, capacity = (code.variable(Variable(hint=hint, annotation="int")) for hint in ("rows", "capacity"))
    # Buffers have the device and the dtype of the parameters.
    like = code.variable(Variable(hint="like"))
    code.statements[:0] = [_within(capacity, cached.found.length), *default_values(code, tokens, cached.defaults)]
    code.statements.append(Assignment(targets=(like,), value=parse("next(self.parameters())")))
    fields = {"past": parse(f"{like}.new_zeros({rows}, dtype=torch.int64)")}
    fields |= {"longest": parse("0")}
    fields |= {cached.field_of(value): name(tokens[value]) for value in given if value.name in cached.held_names}
    for one in cached.found.state:
        fields[cached.fields[one.name]] = made.get(one.name) or parse(_zeros(code, one, like, rows, capacity))
    code.results = [ast.Call(name("Cache"), [], [ast.keyword(field, value) for field, value in fields.items()])]
    optional = [token for value, token in tokens.items() if value.name in cached.defaults]
    code.arguments = [rows, capacity, *(token for token in inputs if token not in optional), *optional]
    code.optional = frozenset(optional)
    return code


def _within(capacity: str, length: Symbol) -> Require:
    """The statement that refuses a capacity of more positions than the dim has, such as a table of positions."""
    refusal = f'ValueError(f"capacity must be at most {length.max}, not {{{capacity}}}")'
    return Require(target=capacity, test=parse(f"{capacity} > {length.max}"), value=parse(refusal))


def _zeros(code: ClassCode, one: KeptValue, like: str, rows: str, capacity: str) -> str:
    """Source of an empty buffer."""
    sizes = []
    for number, size in enumerate(one.type.shape):
        if number == one.layers:
            sizes.append(rows)
        elif number == one.axis and one.kind == "whole":
            sizes.append(capacity)
        else:
            sizes.append(code.size(size))
    dtype = DTYPES.get(one.type.dtype)
    return f"{like}.new_zeros({', '.join(sizes)}{f', dtype={dtype}' if dtype else ''})"
