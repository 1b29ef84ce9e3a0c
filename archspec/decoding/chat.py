"""Chat templates: a conversation as the text that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.decoding.text_packages import require
from archspec.decoding.tokenizer_config import TokenizerConfig
from archspec.diagnostics import fail

Message = Mapping[str, Any]
"""One turn of a conversation: its `role` (`system`, `user` or `assistant`) and its `content`."""


def rendered(config: TokenizerConfig, messages: Sequence[Message]) -> str:
    """The text of a conversation, up to where the model answers.

    The template runs in Jinja's sandbox with no access to files, as in transformers' `apply_chat_template`, and with
    limits on the texts and lists that it makes.

    Args:
        config: the chat template, and the special tokens that it may name.
        messages: the turns, oldest first.

    Raises:
        SpecError: E604 without the package jinja2; E713 for a message that lacks `role` or `content`; E763 if there is
            no template, or it fails or refuses the conversation.
    """
    if config.template is None:
        help = "name a tokenizer whose tokenizer_config.json has a `chat_template`, or give the prompt as plain text"
        fail("E763", "the tokenizer has no chat template", None, help=help)
    turns = [_turn(number, message) for number, message in enumerate(messages)]
    require("jinja2")
    from jinja2.exceptions import TemplateError

    from archspec.decoding.chat_sandbox import environment

    try:
        template = environment().from_string(config.template)
        text: str = template.render(messages=turns, add_generation_prompt=True, **{**_ABSENT, **config.named})
    # Without a loader `include` is a TypeError, and other mistakes in a template raise what Python raises.
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        fail("E763", f"the chat template fails on this conversation: {error}", None)
    return text


_ABSENT = {"tools": None, "documents": None}


def _turn(number: int, message: Message) -> dict[str, str]:
    """A message as plain text by name, which gives the template nothing to call. Raises SpecError E713."""
    for name in ("role", "content"):
        if not isinstance(message.get(name), str):
            help = 'write {"role": "user", "content": "..."}'
            fail("E713", f"message {number} needs `{name}` as text, got {message.get(name)!r}", None, help=help)
    other = sorted(set(message) - {"role", "content"})
    if other:
        fail("E713", f"message {number} has `{other[0]}`; expected `role` and `content`", None)
    return {"role": str(message["role"]), "content": str(message["content"])}
