"""Which texts say that they are specs: in block style, in quotes, and as one map in braces, such as JSON."""

from __future__ import annotations

import pytest

from archspec.text.sections import names_section


@pytest.mark.parametrize(
    "text",
    [
        "archspec: 1\n",
        "name: x\narchspec : 1\n",
        '"archspec": 1\n',
        "'archspec': 1\r\nname: x\r\n",
        "\ufeffarchspec: 1\n",
        "{archspec: 1, name: x}",
        '{\n  "name": "x",\n  "archspec": 1\n}\n',
        "# a comment {\n---\n{name: x, archspec: 1}\n",
        "archspec: 1\ngraph: {\n",
    ],
)
def test_a_spec_is_known(text: str) -> None:
    assert names_section(text, "archspec")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name: x\ndependencies:\n  archspec: 1\n",
        "# archspec: 1\n",
        "archspec_version: 1\n",
        "- archspec: 1\n",
        "archspec\n",
        "\"archspec': 1\n",
    ],
)
def test_another_file_is_not(text: str) -> None:
    assert not names_section(text, "archspec")
