"""The part of `archspec generate` that is about text: its options, and text printed as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.options import Command
from archspec.diagnostics import SpecError

if TYPE_CHECKING:
    from archspec.decoding import TextStep


def text_options(command: Command) -> Command:
    """Add `--prompt`, `--source`, `--chat`, `--system` and `--tokenizer`."""
    for decorate in (
        click.option(
            "--tokenizer",
            type=click.Path(path_type=Path),
            help="A tokenizer.json, or a folder with one (default: the one among a bundle's files).",
        ),
        click.option("--system", metavar="TEXT", help="With --chat: the system message before each prompt."),
        click.option("--chat", is_flag=True, help="Format each prompt as a user message, with the chat template."),
        click.option(
            "--source",
            "sources",
            multiple=True,
            metavar="TEXT",
            help="Text for the encoder of an encoder-decoder, one row of the batch; repeatable. Needs a tokenizer.",
        ),
        click.option(
            "--prompt",
            "texts",
            multiple=True,
            metavar="TEXT",
            help="Text to continue, one row of the batch; repeatable. Needs a tokenizer.",
        ),
    ):
        # Decorators add options from the last to the first.
        command = decorate(command)
    return command


def text_prompts(texts: tuple[str, ...], ids: tuple[str, ...], *, chat: bool, system: str | None) -> list[Any] | None:
    """The prompts as texts, or as conversations with `--chat`; None if there is no `--prompt`.

    Raises click.UsageError for options that do not belong together.
    """
    if texts and ids:
        raise click.UsageError("give either --prompt or --prompt-ids")
    if chat and not texts:
        raise click.UsageError("--chat needs --prompt")
    if system is not None and not chat:
        raise click.UsageError("--system needs --chat")
    if not texts:
        return None
    first = [] if system is None else [{"role": "system", "content": system}]
    return [[*first, {"role": "user", "content": text}] if chat else text for text in texts]


def _with_line_ended(steps: Iterable[TextStep]) -> Iterator[TextStep]:
    """The steps; if one fails after others were printed, what is printed next begins a line."""
    begun = False
    try:
        for one in steps:
            yield one
            begun = True
    except (SpecError, KeyboardInterrupt):
        if begun:
            click.echo()
        raise


def print_texts(steps: Iterable[TextStep]) -> int:
    """Print the text of each row, then a new line, and return the number of ids.

    Rows are printed one after another: the first as it comes, each other one from where it is when its turn has come.
    """
    waiting: dict[int, str] = {}
    count = turn = 0
    for one in _with_line_ended(steps):
        count += len(one.step.ids)
        for row, piece in zip(one.step.rows, one.texts, strict=True):
            waiting[row] = waiting.get(row, "") + piece
        # A row that takes no part in a step has ended before it.
        while turn not in one.step.rows:
            click.echo(waiting.pop(turn))
            turn += 1
        click.echo(waiting[turn], nl=False)
        waiting[turn] = ""
    for row in sorted(waiting):
        click.echo(waiting[row])
    return count
