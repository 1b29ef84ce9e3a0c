"""Errors for graphs that a PyTorch module cannot express."""

from __future__ import annotations

from typing import NoReturn

from archspec.diagnostics import fail
from archspec.ir.graph import Node


class LoweringError(Exception):
    """A graph cannot be lowered. `node` is the innermost node at which this was found, once it is known."""

    # Set by each subclass.
    code = ""
    help: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.node: Node | None = None

    def refuse(self) -> NoReturn:
        """Raise this error as a SpecError at the node's position in the spec."""
        span = None if self.node is None else self.node.span
        fail(self.code, str(self), span, help=self.help)


class TakenName(LoweringError):
    """A name that an attribute of a PyTorch module cannot have, such as a method of `torch.nn.Module`."""

    code = "E501"
    help = "choose another name"

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` is an attribute of every PyTorch module")


class TakenByMethod(LoweringError):
    """A name that an attribute of a decoder cannot have, because its classes have a method of this name."""

    code = "E501"
    help = "choose another name"

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` is a method of the modules of a decoder")


class ReusedDifferently(LoweringError):
    """A module is called twice, and the two calls would need different code."""

    code = "E502"
    help = "write a second module and tie its parameters to the first"

    def __init__(self, path: str) -> None:
        super().__init__(f"`{path}` reuses a module but needs different code than its first use")
