"""What a graph can hold and a PyTorch module cannot."""

from __future__ import annotations

from typing import NoReturn

from archspec.diagnostics import fail
from archspec.ir.graph import Node


class LoweringError(Exception):
    """A graph that has no module. `node` is the node at which that was found."""

    code = ""
    help: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.node: Node | None = None

    def refuse(self) -> NoReturn:
        """Raise the finding as a SpecError at the node's place in the spec."""
        span = None if self.node is None else self.node.span
        fail(self.code, str(self), span, help=self.help)


class TakenName(LoweringError):
    """A name that `torch.nn.Module` uses itself."""

    code = "E501"
    help = "choose another name"

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` is an attribute of every PyTorch module")


class ReusedDifferently(LoweringError):
    """A module that is called twice, and would need two pieces of code."""

    code = "E502"
    help = "write a second module and tie its parameters to the first"

    def __init__(self, path: str) -> None:
        super().__init__(f"`{path}` reuses a module but needs different code than its first use")
