"""Where greedy decoding with quantised weights first gives another token than with floats."""

from __future__ import annotations

import numpy as np

from archspec.algebra.dim import Dim, Symbol
from archspec.diagnostics import fail
from archspec.model.ports import Interface
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record
from archspec.spec import Decode

MOST_TOKENS = 32
"""How many tokens are decoded."""
_MOST_PROMPT = 64
"""How many ids of a row are its prompt: half of them, and at most so many."""


@record
class Greedy:
    """Tokens that floats and integers choose after the same prompt, each fed back.

    Fields:
        prompt: the number of ids before them.
        tokens: how many were compared; fewer than `MOST_TOKENS` where floats choose an end id or there is no room.
        first: which of them, counted from zero, is the first that differs, with both choices; None if none does.
    """

    prompt: int
    tokens: int
    first: tuple[int, int, int] | None


def greedy(
    decode: Decode, interface: Interface, inputs: Arrays, counted: Array, floats: Runner, integers: Runner
) -> Greedy | None:
    """Decode greedily after the first half of a row.

    Up to the first token that differs both have decoded the same ids: integers need one run on those of the floats.

    Args:
        decode: what is fed back.
        interface: that of the model.
        inputs: those of one row, of which some ids are the prompt.
        counted: bool [positions], which positions of the row are no padding.
        floats: the model with floats.
        integers: the model with quantised weights.

    Returns:
        what was found; None where the row has no ids, or where ids alone cannot be made longer.

    Raises:
        SpecError: E633 for scores that are not finite at a position where a token is chosen.
    """
    known = inputs[decode.input][0]
    length = _length(decode, interface)
    if length is None or known.dtype.kind not in "iu" or not counted.any():
        return None
    given = known[counted]
    prompt = max(length.min, min(_MOST_PROMPT, (len(given) + 1) // 2))
    count = min(MOST_TOKENS, length.max - prompt)
    if prompt > len(given) or count < 1:
        return None

    def choices(runner: Runner, ids: Array) -> Array:
        """The choices [positions] after each id."""
        scores = runner.run({**inputs, decode.input: ids[None]})[decode.output][0].copy()
        if not np.isfinite(scores[prompt - 1 :]).all():
            fail("E633", "greedy decoding gives scores that are not finite", None, help="leave the first row out")
        scores[:, list(decode.ban)] = -np.inf
        found: Array = scores.argmax(-1)
        return found

    ids = given[:prompt]
    while len(ids) < prompt + count and not (len(ids) > prompt and int(ids[-1]) in decode.end):
        ids = np.append(ids, choices(floats, ids)[-1:].astype(ids.dtype))
    made = ids[prompt:]
    theirs = choices(integers, ids[:-1])[prompt - 1 :]
    differ = (made != theirs).nonzero()[0]
    first = (int(differ[0]), int(made[differ[0]]), int(theirs[differ[0]])) if len(differ) else None
    return Greedy(prompt=prompt, tokens=len(made), first=first)


def _length(decode: Decode, interface: Interface) -> Symbol | None:
    """The dim of the ids' positions, if no other input has it and it may be any number between its ends."""
    shape = interface.inputs[decode.input].type.shape
    symbol = next((one for one in interface.symbols if len(shape) == 2 and Dim.of(one) == shape[1]), None)
    if symbol is None or symbol.multiple != 1:
        return None
    others = [port.type.shape for name, port in interface.inputs.items() if name != decode.input]
    return None if any(symbol in dim.symbols() for one in others for dim in one) else symbol
