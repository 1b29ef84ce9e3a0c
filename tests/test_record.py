"""Records against the dataclasses that they stand for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

import pytest

from archspec.record import record


@record
class Point:
    """A record with every kind of field."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Same:
    """The dataclass with the same fields."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)


@record
class Inner(Point):
    """A record that extends one."""

    z: int = 3


@record(kw_only=False)
class Pair:
    """A record that takes its fields by position."""

    left: int
    right: int = 0


@pytest.mark.parametrize("values", [{"x": 1}, {"x": 1, "y": 5}, {"x": 1, "tags": ["a"], "note": "n"}])
def test_a_record_is_what_its_dataclass_is(values: dict[str, Any]) -> None:
    ours, theirs = Point(**values), Same(**values)
    assert asdict(ours) == asdict(theirs)  # type: ignore[call-overload]
    assert repr(ours) == repr(theirs).replace("Same", "Point")
    assert [f.name for f in fields(ours)] == [f.name for f in fields(theirs)]  # type: ignore[arg-type]
    assert replace(ours, y=7) == Point(**{**values, "y": 7})  # type: ignore[type-var]
    assert copy.deepcopy(ours) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours


def test_equality_and_hash_go_by_compared_fields_and_class() -> None:
    assert Pair(1) == Pair(1, 0)
    assert hash(Pair(1)) == hash(Pair(1, 0))
    assert Pair(1) != Pair(2)
    assert Point(x=1, note="a") == Point(x=1, note="b")
    assert Inner(x=1) != Point(x=1)
    assert Inner(x=1, z=4).z == 4


@pytest.mark.parametrize("values", [{}, {"x": 1, "w": 2}])
def test_missing_and_unknown_fields_are_refused(values: dict[str, Any]) -> None:
    for made in (Point, Same):
        with pytest.raises(TypeError):
            made(**values)


def test_positions() -> None:
    with pytest.raises(TypeError, match="takes 2 positional"):
        Pair(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="got left twice"):
        Pair(1, left=2)  # type: ignore[misc]
    with pytest.raises(TypeError, match="takes 0 positional"):
        Point(1)  # type: ignore[misc]


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Pair(1).left = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del Pair(1).left
