"""What the files next to a `tokenizer.json` add: names of special tokens, and a chat template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.decoding.numbers import short
from archspec.diagnostics import fail
from archspec.record import record

# What else ends in `_token` may be a flag or a number.
_SPECIAL = frozenset(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))


@record
class TokenizerConfig:
    """The special tokens by the names that chat templates use (`eos_token`), and the chat template if there is one."""

    named: Mapping[str, str]
    template: str | None = None


def read_config(config: Path | None, template: Path | None) -> TokenizerConfig:
    """Read both files, as far as they exist. A template file takes precedence over a template in the configuration.

    Raises SpecError E761 if a file cannot be read.
    """
    data = {} if config is None else _json(config)
    named = {name: _token(name, value, config) for name, value in data.items() if name.endswith("_token")}
    text = _template(data.get("chat_template"), config) if template is None else _text(template)
    return TokenizerConfig(named={name: token for name, token in named.items() if token is not None}, template=text)


def _token(name: str, value: Any, path: Path | None) -> str | None:
    """The text of a special token, which older files write as a map; None for a flag such as `add_bos_token`.

    Raises SpecError E761 for a special token that is not text.
    """
    found = value.get("content") if isinstance(value, dict) else value
    if name in _SPECIAL and value is not None and not isinstance(found, str):
        fail("E761", f"`{name}` in {path} must be text, got {short(value)}", None)
    return found if isinstance(found, str) else None


def _template(value: Any, path: Path | None) -> str | None:
    """The chat template; of several by name, the one named `default`."""
    if value is None or isinstance(value, str):
        return value
    listed = value if isinstance(value, list) else []
    named = {one.get("name"): one.get("template") for one in listed if isinstance(one, dict)}
    found = named.get("default")
    if not isinstance(found, str):
        fail("E761", f"`chat_template` in {path} is neither text nor a list with a template named `default`", None)
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_text(path))
    except ValueError as error:
        fail("E761", f"{path} is not JSON: {error}", None)
    if not isinstance(data, dict):
        fail("E761", f"{path} is not a JSON object", None)
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fail("E761", f"{path} is not UTF-8", None)
