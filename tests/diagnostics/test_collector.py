from __future__ import annotations

import pytest

from archspec.diagnostics import Collector, Diagnostic, Label, Source, SpecError, did_you_mean, fail, nearest

SPAN = Source("a", "abc").span(0, 1)


def test_every_finding_once_in_the_order_found() -> None:
    found = Collector()
    found.error("E105", "one", SPAN, "label", notes=["n"], help="h")
    found.warn("W101", "two", None)
    found.error("E105", "one", SPAN, "label", notes=["n"], help="h")
    assert found.diagnostics == (
        Diagnostic(code="E105", message="one", primary=Label(SPAN, "label"), notes=("n",), help="h"),
        Diagnostic(code="W101", severity="warning", message="two"),
    )


def test_goes_on_after_an_error_and_raises_all() -> None:
    found = Collector()
    for name in ("a", "b", "a"):
        with found.catching():
            fail("E201", f"unknown name `{name}`", SPAN)
    with pytest.raises(SpecError) as raised:
        found.raise_if_errors()
    assert [one.message for one in raised.value.diagnostics] == ["unknown name `a`", "unknown name `b`"]


def test_warnings_alone_do_not_raise() -> None:
    found = Collector()
    found.warn("W101", "w", SPAN)
    found.raise_if_errors()
    assert not found.has_errors


def test_other_exceptions_pass() -> None:
    found = Collector()
    with pytest.raises(KeyError), found.catching():
        raise KeyError("x")
    assert found.diagnostics == ()


def test_nearest() -> None:
    names = ["heads", "kv_heads", "mask", "d_model"]
    assert nearest("head", names) == "heads"
    assert nearest("Mask", names) == "mask"
    assert nearest("zebra", names) is None
    assert did_you_mean("d_modle", names) == "did you mean `d_model`?"
    assert did_you_mean("zebra", ["b", "a"], kind="ports") == "available ports: `a`, `b`"
    assert did_you_mean("zebra", []) is None
    assert did_you_mean("zebra", [f"name{number}" for number in range(20)]) is None
