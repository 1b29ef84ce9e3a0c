"""Every model type: its keys are those of transformers, each is used, inert or refused, and its models are equal."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import random
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.huggingface.common import COMMON
from archspec.interop.huggingface.key_table import KeyTable, NestedKey
from archspec.interop.huggingface.keys import InertKey, PartKey
from archspec.interop.huggingface.model_type import MODEL_TYPES
from tests.interop.originals import configuration_class, hold, original, small, types, write_configuration

transformers = pytest.importorskip("transformers")

ARCHITECTURES = [(word, architecture) for word in types() for architecture in MODEL_TYPES[word].architectures]


def examples() -> Iterator[Any]:
    """Every example of every class; between the first and the last, other classes than the first tell little more."""
    for word, architecture in ARCHITECTURES:
        last = len(MODEL_TYPES[word].small) - 1
        for example in range(last + 1):
            is_long = not is_first(word, architecture) and 0 < example < last
            marks = [pytest.mark.slow, pytest.mark.long] if is_long else []
            yield pytest.param(word, architecture, example, marks=marks)


def configuration_fields(word: str) -> set[str]:
    """The keys of transformers' class of a type."""
    return {one.name for one in fields(configuration_class(MODEL_TYPES[word]))}


def is_first(word: str, architecture: str) -> bool:
    """Whether a class is the one that the base of its type is."""
    return next(iter(MODEL_TYPES[word].architectures)) == architecture


@pytest.mark.parametrize(("word", "architecture", "example"), examples())
def test_a_small_model_equals_its_imported_spec(word: str, architecture: str, example: int, tmp_path: Path) -> None:
    kind = MODEL_TYPES[word]
    model = original(kind, architecture, example)
    model.save_pretrained(tmp_path)
    hold(tmp_path, kind, architecture, model)


def tables(word: str, architecture: str | None = None) -> Iterator[tuple[tuple[str, ...], KeyTable, Any]]:
    """The tables of a type, with the path of each nested one, and the classes of transformers that read them."""
    kind, theirs = MODEL_TYPES[word], configuration_class(MODEL_TYPES[word])
    table = kind.table(kind.architectures[architecture or next(iter(kind.architectures))])
    yield (), table, theirs
    for name, key in table.keys.items():
        if isinstance(key, NestedKey):
            yield (name,), key.table, theirs.sub_configs[name]


@pytest.mark.parametrize("word", types())
def test_defaults_are_those_of_transformers(word: str) -> None:
    for path, table, theirs in tables(word):
        known = {one.name: one.default for one in fields(theirs)}
        made = {one.name: one.default_factory() for one in fields(theirs) if one.default_factory is not MISSING}
        given = {name: value for name, value in (known | made).items() if value is not MISSING}
        wrong = {name: table.defaults[name] for name in given if not same(table.defaults[name], given[name])}
        # What all models share differs by version, and has no effect; what has one is compared.
        wrong = {name: value for name, value in wrong.items() if not isinstance(table.keys[name], InertKey)}
        assert wrong == {}, path
        if "rope_theta" in table.keys and "rope_parameters" in table.keys:
            theta = theirs.default_theta
            assert table.defaults["rope_theta"] == (theta["global"] if isinstance(theta, dict) else theta)


def same(ours: Any, theirs: Any) -> bool:
    return bool(json.dumps(ours) == json.dumps(theirs) or ours == theirs)


@pytest.mark.parametrize("word", types())
def test_every_key_of_transformers_is_named(word: str) -> None:
    for path, table, theirs in tables(word):
        names = {*json.loads(theirs().to_json_string(use_diff=False)), *theirs.attribute_map}
        assert names - table.keys.keys() - table.aliases.keys() == set(), path
        assert table.keys.keys() <= table.defaults.keys()


@pytest.mark.parametrize("word", [word for word in types() if "rope_parameters" in configuration_fields(word)])
def test_part_of_a_head_turns_only_where_the_original_reads_how_much(word: str, tmp_path: Path) -> None:
    """Its code says so: a class that does not name the key turns whole heads in silence, or fails."""
    theirs = configuration_class(MODEL_TYPES[word])
    code = importlib.import_module(theirs.__module__.replace(".configuration_", ".modeling_"))
    parts = {"rope_type": "default", "partial_rotary_factor": 0.5}
    kinds = ("full_attention", "sliding_attention")
    usual = written(word)
    is_by_kind = "full_attention" in (usual.get("rope_parameters") or {})
    given = dict.fromkeys(kinds, parts) if is_by_kind else parts
    folder = write_configuration(tmp_path, {**usual, "rope_parameters": given})
    if '"partial_rotary_factor"' in inspect.getsource(code):
        assert "rotary_dim" in import_model(folder, architecture=next(iter(MODEL_TYPES[word].architectures))).text
        return
    with pytest.raises(SpecError) as raised:
        import_model(folder, architecture=next(iter(MODEL_TYPES[word].architectures)))
    assert {one.code for one in raised.value.diagnostics} == {"E803"}


@pytest.mark.parametrize("word", types())
def test_a_random_unknown_key_is_an_error_at_the_key(word: str, tmp_path: Path) -> None:
    kind, draw = MODEL_TYPES[word], random.Random(word)
    for _ in range(4):
        key = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz_") for _ in range(draw.randint(3, 12))) + "_q"
        folder = write_configuration(tmp_path, {**written(word), key: draw.choice([None, 0, 1, "a", [1], {}])})
        with pytest.raises(SpecError) as raised:
            import_model(folder, architecture=next(iter(kind.architectures)))
        (found,) = raised.value.diagnostics
        assert found.code == "E802"
        assert found.primary is not None
        assert found.primary.span.text == f'"{key}"'


def written(word: str) -> dict[str, Any]:
    """The configuration of the small example, as transformers writes it."""
    kind = MODEL_TYPES[word]
    made: dict[str, Any] = json.loads(configuration_class(kind)(**small(kind, 0)).to_json_string(use_diff=False))
    return made


def others(value: Any) -> list[Any]:
    """Other values of a key, of its kind and of others."""
    return [other for other in candidates(value) if not same(other, value)]


def candidates(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value * 2 + 0.25, "x"]
    if isinstance(value, str):
        return [other for other in ("relu", "gelu", "x") if other != value]
    return [3, 0.5, True, "x", {"a": 1}, [1]]


def laid(values: dict[str, Any], path: tuple[str, ...], change: dict[str, Any], without: str | None) -> dict[str, Any]:
    """A configuration with a change of its part at a path, and without one key of that part."""
    if path:
        return {**values, path[0]: laid(values.get(path[0]) or {}, path[1:], change, without)}
    return {name: value for name, value in {**values, **change}.items() if name != without}


@pytest.mark.parametrize(("word", "architecture"), ARCHITECTURES)
def test_another_value_of_a_key_that_is_not_inert_changes_the_spec_or_is_refused(
    word: str, architecture: str, tmp_path: Path
) -> None:
    usual, kind = written(word), MODEL_TYPES[word]
    # Other classes than the first differ in few keys.
    own_keys = kind.architectures[architecture].keys.keys()
    text = import_model(write_configuration(tmp_path, usual), architecture=architecture).text
    silent = []
    for path, table, _ in tables(word, architecture):
        own = functools.reduce(lambda values, name: values[name], path, usual)
        for key, meaning in table.keys.items():
            if isinstance(meaning, InertKey | NestedKey) or meaning is COMMON.keys.get(key):
                continue
            if not is_first(word, architecture) and key not in own_keys:
                continue
            # A key that another one reads with its own counts where that one says nothing itself.
            without = meaning.key if isinstance(meaning, PartKey) else None
            for value in others(own.get(key, table.defaults[key])):
                write_configuration(tmp_path, laid(usual, path, {key: value}, without))
                try:
                    changed = import_model(tmp_path, architecture=architecture).text != text
                except SpecError as error:
                    changed = f"unknown key `{key}`" not in str(error)
                if not changed:
                    silent.append((*path, key, value))
    assert silent == []


@pytest.mark.parametrize(("word", "architecture"), ARCHITECTURES)
def test_the_small_copy_of_an_imported_spec_holds(word: str, architecture: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(import_model(write_configuration(tmp_path, written(word)), architecture=architecture).text)
    assert not archspec.check(file, reduced=True).diagnostics
