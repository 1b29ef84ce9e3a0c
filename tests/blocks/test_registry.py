from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.blocks.registry import blocks


@pytest.mark.parametrize("word", list(blocks()))
def test_a_word_names_its_block_and_every_field_is_described(word: str) -> None:
    block = blocks()[word]
    assert block.block == word
    assert block.__doc__
    schema: dict[str, Any] = block.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        bare = [name for name, field in part.get("properties", {}).items() if not field.get("description")]
        assert bare == []


def test_reading_the_names_loads_no_block() -> None:
    code = "import sys, archspec.blocks.registry as r; print(*r.blocks()); print('archspec.blocks.pool' in sys.modules)"
    root = Path(archspec.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    names, loaded = done.stdout.splitlines()
    assert "pool" in names.split()
    assert loaded == "False"
