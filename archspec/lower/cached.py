"""The cached step of a decoder: the class of its cache, and the methods `new_cache` and `step` of the model."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.ir.graph import Graph, Value
from archspec.lower.attributes import Attributes
from archspec.lower.class_text import MethodText
from archspec.lower.code import Assignment, ClassCode, Default, Slots, Statement, Variable
from archspec.lower.defaults import DTYPES, Number, filled
from archspec.lower.docs import new_cache_docstring, step_docstring
from archspec.lower.inline import InlinePlan
from archspec.lower.naming import identifier
from archspec.lower.region import Lowering, finished
from archspec.lower.site import Site
from archspec.lower.syntax import parse
from archspec.lower.writes import RING_SLOTS, WHOLE_SLOTS
from archspec.passes.incremental.incremental import Incremental
from archspec.record import record

STEP = "step"
ONCE = "prepare"


@record(eq=False)
class Cached:
    """What the methods of a decoder are made from.

    `step` and `once` are the graphs of `found` as they are emitted, `source` is the name of the input that is fed.
    `given` are the inputs that `new_cache` takes, `held` those of them that steps read, so that the cache holds them.
    """

    found: Incremental
    step: Graph
    once: Graph | None
    source: str
    defaults: Mapping[str, Number]

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs by the names of the methods that compute them."""
        return {STEP: self.step} | ({} if self.once is None else {ONCE: self.once})

    @property
    def fed(self) -> list[Value]:
        """The inputs that each step takes, the ids first."""
        found = [value for value in self.step.inputs if self._is_given(value) and self._is_fed(value)]
        return sorted(found, key=lambda value: value.name != self.source)

    @property
    def held(self) -> list[Value]:
        """The inputs that steps read and that are given once."""
        return [value for value in self.step.inputs if self._is_given(value) and not self._is_fed(value)]

    @property
    def given(self) -> list[Value]:
        """The inputs that `new_cache` takes."""
        once = [] if self.once is None else list(self.once.inputs)
        names = {value.name for value in once}
        return [*once, *(value for value in self.held if value.name not in names)]

    @property
    def fields(self) -> dict[str, str]:
        """The field of the cache for each value of the state: the end of its path that tells it from the others."""
        paths = {one.name: [part for part in one.path.split(".") if part != "*"] for one in self.found.state}
        kinds = {one.name: "last_" if one.kind == "last" else "" for one in self.found.state}
        held = ["past", "longest", *(value.name for value in self.held)]
        for count in range(1, max((len(path) for path in paths.values()), default=0) + 1):
            short = {name: identifier(kinds[name] + "_".join(path[-count:])) for name, path in paths.items()}
            taken = [*short.values(), *held]
            if len(set(taken)) == len(taken):
                return short
        return {name: name for name in paths}

    @property
    def whole(self) -> KeptValue | None:
        """A value of which all positions are kept; None where there is none."""
        return next((one for one in self.found.state if one.kind == "whole"), None)

    def _is_given(self, value: Value) -> bool:
        return value.name not in {"past", "count", "last", *(one.name for one in self.found.state)}

    def _is_fed(self, value: Value) -> bool:
        return any(self.found.new in size.symbols() for size in value.type.shape)


def decoding_methods(
    lowering: Lowering, cached: Cached, attributes: Attributes
) -> dict[str, tuple[ClassCode, InlinePlan]]:
    """The methods that the model has beside `forward`."""
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
    code, _ = lowering.body(graph, Site(), forced=range(len(graph.inputs)), attributes=attributes)
    return _Step(lowering, cached, code).run()


class _Step:
    """Turns the lowered step into a method that takes the cache: what it holds is read from it first."""

    def __init__(self, lowering: Lowering, cached: Cached, code: ClassCode) -> None:
        self.lowering = lowering
        self.cached = cached
        self.code = code
        self.tokens = {value.name: token for value, token in zip(cached.step.inputs, code.arguments, strict=False)}
        self.cache = code.variable(Variable(hint="cache", annotation="Cache"))
        self.counts = code.variable(Variable(hint="counts"))
        self.length = code.variable(Variable(hint="length", annotation="int"))
        most = str(cached.found.length.max)
        code.known[Dim.of(cached.found.length)] = most if cached.whole is None else self.length
        for one in cached.found.state:
            token = self.tokens[one.name]
            code.variables[token] = replace(code.variables[token], hint=cached.fields[one.name])

    def run(self) -> ClassCode:
        code, cached = self.code, self.cached
        ids = self.tokens[cached.source]
        optional = {value: self.tokens[value.name] for value in cached.fed if value.name in cached.defaults}
        required = {value: self.tokens[value.name] for value in cached.fed if value not in optional}
        defaults: list[Statement] = [
            Default(target=self.counts, value=parse(f"torch.full_like({self.cache}.past, {ids}.shape[1])"))
        ]
        for value, token in optional.items():
            source = filled(code, value, cached.defaults[value.name], required)
            defaults.append(Default(target=token, value=parse(source)))
        code.statements[:0] = [*defaults, *self.reads(ids), *self.needs(ids)]
        code.arguments = [*required.values(), self.cache, self.counts, *optional.values()]
        code.optional = frozenset([self.counts, *optional.values()])
        code.needs = []
        past = self.tokens["past"]
        longest = "" if cached.whole is None else f", longest={self.length}"
        code.results.append(parse(f"{self.cache}._replace(past={past} + {self.counts}{longest})"))
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
        made += [self.assign(self.tokens[value.name], f"{cache}.{value.name}") for value in cached.held]
        for one in cached.found.state:
            source = f"{cache}.{cached.fields[one.name]}"
            if one.kind == "whole" and one.axis is not None:
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
    if once is None:
        code = ClassCode(kind="", path="", attributes=attributes)
        inputs = [code.variable(Variable(hint=value.name, type=value.type)) for value in given]
    else:
        code, _ = lowering.body(once, Site(), forced=range(len(once.inputs)), attributes=attributes)
        inputs = code.arguments[: len(once.inputs)]
        inputs += [code.variable(Variable(hint=value.name, type=value.type)) for value in given[len(inputs) :]]
    rows, capacity = (code.variable(Variable(hint=hint, annotation="int")) for hint in ("rows", "capacity"))
    tokens = dict(zip(given, inputs, strict=True))
    optional = {value: token for value, token in tokens.items() if value.name in cached.defaults}
    required = {value: token for value, token in tokens.items() if value not in optional}
    code.statements[:0] = [
        Default(target=token, value=parse(filled(code, value, cached.defaults[value.name], required)))
        for value, token in optional.items()
    ]
    code.optional = frozenset(optional.values())
    like = code.variable(Variable(hint="like"))
    code.statements.append(Assignment(targets=(like,), value=parse("next(self.parameters())")))
    made = dict(zip(once.output_names, code.results, strict=True)) if once is not None else {}
    fields = [f"past={like}.new_zeros({rows}, dtype=torch.int64)"]
    fields += [] if cached.whole is None else ["longest=0"]
    fields += [f"{value.name}={tokens[value]}" for value in tokens if value.name in {x.name for x in cached.held}]
    source = f"Cache({', '.join(fields)})"
    call = parse(source)
    for one in cached.found.state:
        value = made[one.name] if one.kind == "once" else parse(_zeros(one, cached, like, rows, capacity))
        call.keywords.append(ast.keyword(cached.fields[one.name], value))
    code.results = [call]
    code.arguments = [rows, capacity, *required.values(), *optional.values()]
    return code


def _zeros(one: KeptValue, cached: Cached, like: str, rows: str, capacity: str) -> str:
    sizes = []
    for number, size in enumerate(one.type.shape):
        if number == one.layers:
            sizes.append(rows)
        elif number == one.axis and one.kind == "whole":
            sizes.append(capacity)
        else:
            sizes.append(str(size))
    dtype = DTYPES.get(one.type.dtype)
    return f"{like}.new_zeros({', '.join(sizes)}{f', dtype={dtype}' if dtype else ''})"


def cache_class(cached: Cached) -> list[str]:
    """Lines of the class `Cache`."""
    whole = cached.whole
    lines = ["class Cache(NamedTuple):", '    """What steps keep, in buffers that they write in place.', ""]
    lines += ["    past: int64 [rows], how many positions each row has had."]
    lines += [] if whole is None else ["    longest: the most positions that a row has had, or more."]
    for one in cached.found.state:
        lines.append(f"    {cached.fields[one.name]}: {one.type.dtype} {_axes(one)}{_ABOUT[one.kind]}.")
    lines += ['    """', "", "    past: Tensor"]
    lines += [] if whole is None else ["    longest: int"]
    lines += [f"    {value.name}: Tensor" for value in cached.held]
    lines += [f"    {cached.fields[one.name]}: Tensor" for one in cached.found.state]
    return lines if whole is None else [*lines, "", *_length(f"self.{cached.fields[whole.name]}.shape[{whole.axis}]")]


_ABOUT = {"whole": "", "last": ", position p at p modulo its length", "once": ", made once"}


def _length(capacity: str) -> list[str]:
    """Lines of the method that says how much of the buffers a step reads."""
    return [
        "    def length(self, new: int) -> int:",
        '        """How many entries of whole buffers a step of new positions reads."""',
        f"        capacity = {capacity}",
        "        # Compiled code reads all of them: every step then has the same shapes.",
        "        if torch.compiler.is_compiling():",
        "            return capacity",
        "        return min(self.longest + new, capacity)",
    ]


def _axes(one: KeptValue) -> str:
    names = [str(size) for size in one.type.shape]
    names[one.layers] = "rows"
    if one.axis is not None and one.kind == "whole":
        names[one.axis] = "capacity"
    return f"[{', '.join(names)}]"
