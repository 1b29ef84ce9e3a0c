"""Binding of declared inputs to the parameters of a model: all by name or all by position, never a mixture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter
from typing import Any, NoReturn

from archspec.diagnostics import did_you_mean, fail
from archspec.record import record

_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def bound(
    function: Callable[..., Any], inputs: Sequence[str], arguments: Mapping[str, str] | None = None
) -> dict[str, str] | None:
    """Bind inputs to the parameters of a function.

    Args:
        function: a function, or the `forward` of a module.
        inputs: names of the inputs, in the declared order.
        arguments: parameter names by input name; an input without an entry goes to the parameter of the same name.

    Returns:
        the parameter name of each input; None if the inputs are passed by position, which is so where no parameter has
        the name of an input, where there are no inputs, and where the signature cannot be inspected.

    Raises:
        SpecError: E734 if only some inputs match a parameter by name, if a name in `arguments` is unknown, if two
            inputs are bound to one parameter, if a parameter without a default gets no input, and if the number of
            positional parameters does not fit the number of inputs.
    """
    signature = _signature(function)
    if arguments:
        return _given(signature, inputs, arguments)
    if signature is None or not inputs:
        return None
    named = [name for name in inputs if name in signature.by_name]
    # A function of `**kwargs` alone takes every name.
    if len(named) == len(inputs) or (signature.takes_any and not signature.parameters):
        wanted = {name: name for name in inputs}
        _check_left(signature, wanted.values())
        return wanted
    if named:
        other = next(name for name in inputs if name not in named)
        help = f"bind it: `--bind {other}=PARAMETER`, in Python `arguments={{{other!r}: PARAMETER}}`"
        _refuse(f"the model has no parameter `{other}`", signature, help)
    _check_count(signature, len(inputs))
    return None


@record
class _Signature:
    """The named and positional parameters of a function; `takes_any` is `**kwargs`, `takes_more` is `*args`."""

    parameters: tuple[Parameter, ...]
    takes_any: bool
    takes_more: bool

    @property
    def by_name(self) -> list[str]:
        """Names of the parameters that accept a keyword argument."""
        return [one.name for one in self.parameters if one.kind in _BY_NAME]

    @property
    def required(self) -> list[str]:
        """Names of parameters without a default."""
        return [one.name for one in self.parameters if one.default is Parameter.empty]


def _signature(function: Callable[..., Any]) -> _Signature | None:
    """The signature of a function; None if `inspect` cannot determine it, as for some functions written in C."""
    try:
        found = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    kinds = {one.kind for one in found}
    own = tuple(one for one in found if one.kind in (*_BY_POSITION, *_BY_NAME))
    return _Signature(
        parameters=own, takes_any=Parameter.VAR_KEYWORD in kinds, takes_more=Parameter.VAR_POSITIONAL in kinds
    )


def _given(signature: _Signature | None, inputs: Sequence[str], arguments: Mapping[str, str]) -> dict[str, str]:
    """Bind inputs as `arguments` says, each of the others to the parameter of its own name. Raises SpecError E734."""
    for name in arguments:
        if name not in inputs:
            help = did_you_mean(name, inputs, kind="inputs")
            fail("E734", f"`{name}` is bound, but the file does not declare such an input", None, help=help)
    wanted = {name: arguments.get(name, name) for name in inputs}
    twice = [name for name in wanted.values() if list(wanted.values()).count(name) > 1]
    if twice:
        fail("E734", f"two inputs are bound to the parameter `{twice[0]}`", None, help="bind each to its own parameter")
    if signature is None:
        return wanted
    for name in wanted.values():
        if name not in signature.by_name and not signature.takes_any:
            help = did_you_mean(name, signature.by_name, kind="parameters")
            _refuse(f"the model has no parameter `{name}`", signature, help)
    _check_left(signature, wanted.values())
    return wanted


def _check_left(signature: _Signature, taken: Iterable[str]) -> None:
    """Raise SpecError E734 if a parameter without a default is not among those taken."""
    left = [name for name in signature.required if name not in set(taken)]
    if left:
        _refuse(f"no input is bound to the parameter `{left[0]}`", signature, "give it a default, or declare the input")


def _check_count(signature: _Signature, count: int) -> None:
    """Raise SpecError E734 if `count` inputs cannot all be passed by position."""
    places = [one for one in signature.parameters if one.kind in _BY_POSITION]
    least = len([one for one in places if one.default is Parameter.empty])
    needed = [name for name in signature.required if name not in [one.name for one in places]]
    help = "bind inputs by name: `--bind INPUT=PARAMETER`, in Python `arguments=`"
    if needed:
        _refuse(f"the parameter `{needed[0]}` takes no input by position", signature, help)
    if least > count or (len(places) < count and not signature.takes_more):
        expected = str(len(places)) if least == len(places) else f"{least} to {len(places)}"
        _refuse(f"the model takes {expected} inputs by position, got {count}", signature, help)


def _refuse(message: str, signature: _Signature, help: str | None) -> NoReturn:
    names = ", ".join(one.name for one in signature.parameters) or "none"
    fail("E734", message, None, notes=[f"its parameters: {names}"], help=help)
