from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.diagnostics import CODES, SpecError, explain
from tests.spec.example import spec_of

_FENCE = re.compile(r"```spec\n([\s\S]*?)```")
PAGES = {code: _FENCE.findall(explain(code)) for code in CODES if code[:2] in {"E2", "E3", "E4", "W2", "W4"}}
PAGES = {code: examples for code, examples in PAGES.items() if examples}


@pytest.mark.parametrize("code", PAGES)
def test_pages_show_what_is_refused_and_what_is_not(code: str, tmp_path: Path) -> None:
    example, instead = PAGES[code]
    if code.startswith("W"):
        assert [found.code for found in spec_of(tmp_path, example).warnings] == [code]
    else:
        with pytest.raises(SpecError) as raised:
            spec_of(tmp_path, example)
        assert code in {found.code for found in raised.value.diagnostics}
    assert spec_of(tmp_path, instead).warnings == ()
