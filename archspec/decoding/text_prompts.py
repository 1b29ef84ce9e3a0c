"""Prompts that are text or conversations, as ids that fit a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.decoding.chat import Message, rendered
from archspec.decoding.plan import GenerationPlan
from archspec.decoding.tokenizer import Tokenizer
from archspec.diagnostics import Collector, fail

TextPrompt = str | Sequence[Message]


def text_rows(prompts: Any) -> list[TextPrompt] | None:
    """The prompt of each row, if prompts are text: one text or conversation, or a list of them; None for ids.

    Raises SpecError E713 for a list of which only a part is text.
    """
    if isinstance(prompts, str) or _is_conversation(prompts):
        return [prompts]
    if not isinstance(prompts, (list, tuple)):
        return None
    are = [isinstance(one, str) or _is_conversation(one) for one in prompts]
    if any(are) and not all(are):
        number = are.index(False)
        message = (
            f"prompt {number} must be text or a conversation like the others, got {type(prompts[number]).__name__}"
        )
        fail("E713", message, None)
    return list(prompts) if any(are) else None


def _is_conversation(prompt: Any) -> bool:
    return isinstance(prompt, (list, tuple)) and bool(prompt) and all(isinstance(one, Mapping) for one in prompt)


def encoded(tokenizer: Tokenizer, plan: GenerationPlan, prompt: TextPrompt) -> list[int]:
    """Ids of a prompt without the spec's start id, which generation adds.

    A text gets the special tokens that the tokenizer puts around every text. A conversation gets those that the chat
    template writes, and no others.

    Raises:
        SpecError: E713 for text that is not Unicode, E762 if the tokenizer ends every text with an end id of the spec,
            E763 if the chat template is missing or fails.
    """
    if isinstance(prompt, str):
        ids = tokenizer.encode(prompt)
        _check_open(tokenizer, plan, ids, len(tokenizer.encode(prompt, special=False)))
    else:
        ids = tokenizer.encode(rendered(tokenizer.config, prompt), special=False)
    is_started = bool(ids) and ids[0] == plan.decode.start
    return ids[1:] if is_started else ids


def _check_open(tokenizer: Tokenizer, plan: GenerationPlan, ids: Sequence[int], plain: int) -> None:
    """Raise SpecError E762 if the tokenizer added an end id of the spec to the `plain` ids of a text."""
    if len(ids) > plain and ids[-1] in plan.decode.end:
        message = f"{tokenizer.source} ends every text with the id {ids[-1]}, which ends a row"
        help = f"nothing would follow such a prompt; give the ids of `{plan.decode.input}` themselves"
        fail("E762", message, None, help=help)


def check_fit(tokenizer: Tokenizer, plan: GenerationPlan, stop: Sequence[int]) -> None:
    """Check that the ids of the tokenizer are those of the spec, as far as their numbers and end ids show.

    Args:
        tokenizer: the tokenizer; it may have fewer ids than the spec, whose table is often padded.
        plan: the plan of the generation.
        stop: ids that end a row, in addition to the end ids of the spec.

    Raises:
        SpecError: E762 for ids beyond those of the spec, an end id of the spec without a token, and a token that ends
            a row by `tokenizer_config.json` but not by the spec.
    """
    found = Collector()
    bound = plan.spec.inputs[plan.decode.input].type.bound
    most = None if bound is None else bound.constant
    if most is not None and tokenizer.size > most:
        message = f"{tokenizer.source} has ids up to {tokenizer.size - 1}, but `{plan.decode.input}` takes {most}"
        fail("E762", message, None, help="use the tokenizer of the weights")
    for id in plan.decode.end:
        if tokenizer.library.id_to_token(id) is None:
            message = f"the end id {id} of the spec has no token in {tokenizer.source}"
            found.error("E762", message, None, help="use the tokenizer of the weights, or correct `end` in `decode`")
    end = tokenizer.end
    if end is not None and end not in {*plan.decode.end, *stop}:
        token = tokenizer.config.named["eos_token"]
        message = f"the tokenizer's configuration ends rows with `{token}`, id {end}, but the spec does not"
        found.error("E762", message, None, help=f"stop at it too (`--stop {end}`), or add it to `end` in `decode`")
    found.raise_if_errors()
