"""Chat templates: the same text as transformers makes, and nothing that a template may not do."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from archspec.decoding import read_tokenizer, text_decoder
from archspec.decoding.chat import rendered
from archspec.decoding.tokenizer_config import TokenizerConfig
from archspec.diagnostics import SpecError
from tests.decoding.running import compiled
from tests.decoding.test_text import spec_of
from tests.decoding.words import around, by_bytes, saved

NAMED = {"bos_token": "<start>", "eos_token": "<end>"}
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<turn>system\nYou are a cat<end>\n' }}{% endif %}"
    "{{'<turn>' + message['role'] + '\n' + message['content'] + '<end>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<turn>assistant\n' }}{% endif %}"
)
TEMPLATES = {
    "chatml": CHATML,
    "instruct": """
{{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = message.content | trim %}
        {%- continue %}
    {%- endif %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception('Unknown role ' + message.role) }}
    {%- endif %}
    {{- '[' + message.role.upper() + '] ' + ns.system + '\n' + message.content + ('' if loop.last else eos_token) }}
    {%- if not loop.first %}{% break %}{% endif %}
{%- endfor %}
""",
    "generation and json": """\
{% for message in messages %}
  {% if message.role == 'assistant' %}
    {% generation %}
    {% set content = 'inner' %}
    {{ message.content }}{{ content }}
    {% endgeneration %}
  {% else %}
{{ message | tojson }}{{ {'a': ['<é>', 1]} | tojson(indent=2) }}{{ content }}
  {% endif %}
{% endfor %}
{{ dict(a=1).a }} {{ tools is none }} {{ documents }} {{ unknown }} {{ strftime_now('%Y') }}""",
}
CHATS = [
    [{"role": "user", "content": "the é\n  <b> 'q' "}],
    [{"role": "system", "content": " be short "}, {"role": "user", "content": "the"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_same_text_and_ids_as_transformers(name: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    library = around(by_bytes(), "<start> $A")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=library, **NAMED, chat_template=TEMPLATES[name])
    theirs.save_pretrained(tmp_path)
    ours = read_tokenizer(tmp_path)
    for chat in CHATS:
        text = rendered(ours.config, chat)
        assert text == theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = theirs.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert ours.encode(text, special=False) == ids


def test_a_conversation_gets_no_special_tokens_but_those_of_its_template(tmp_path: Path) -> None:
    library = around(by_bytes(), "<start> $A")
    folder = saved(tmp_path, library, {**NAMED, "chat_template": CHATML})
    spec = spec_of()
    made = text_decoder(spec, compiled(spec), tokenizer=folder)
    (ids,) = made.encode([CHATS[1]])
    text = "<turn>system\n be short <end>\n<turn>user\nthe<end>\n<turn>assistant\n"
    assert ids == library.encode(text, add_special_tokens=False).ids
    assert made.generate(CHATS[1], max_new=2)[0].prompt == tuple(ids)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% include '/etc/hostname' %}", "no loader for this environment"),
        ("{% for %}", "Expected an expression"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "access to attribute '__class__' of 'str' object is unsafe"),
        (
            "{{ raise_exception.__globals__['json'] }}",
            "access to attribute '__globals__' of 'function' object is unsafe",
        ),
        ("{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe"),
        ("{{ messages[0].update(role='x') }}", "access to attribute 'update' of 'dict' object is unsafe"),
        ("{% set ns = namespace(__class__=1) %}", "a namespace cannot hold `__class__`"),
        ("{% set ns = namespace() %}{% set ns._x = 1 %}", "a namespace cannot hold `_x`"),
        ("{{ '%s' % (1, 2) }}", "not all arguments converted"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% for i in range(1000000) %}{% endfor %}", "range"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "maximum recursion depth"),
        ("{{ nothing.at.all }}", "'nothing' is undefined"),
    ],
)
def test_a_template_that_fails_or_reaches_out(template: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        rendered(TokenizerConfig(named=NAMED, template=template), CHATS[0])
    (found,) = raised.value.diagnostics
    assert found.code == "E763"
    assert message in found.message


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * (10 ** 10) }}",
        "{{ 10 ** 10 * 'a' }}",
        "{{ ([1] * 10 ** 10) | length }}",
        "{% set ns = namespace(x='a') %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(40) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
        "{% for i in range(90000) %}{% for j in range(90000) %}a{% endfor %}{% endfor %}",
        "{{ 'a'.ljust(10 ** 10) }}",
        "{{ 'a' | center(10 ** 10) }}",
        "{{ 'a\nb' | indent(10 ** 10) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '%*d' % (10000000, 1) }}",
        "{{ '%10000000000d' | format(1) }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 9999999) }}",
        "{% set x = 'a' * 900000 %}{{ x.replace('a', x) }}",
        "{% set x = 'a' * 900000 %}{{ x | replace('a', x) }}",
        "{% set x = 'a' * 900000 %}{{ x.join(x) }}",
        "{{ 10 ** (10 ** 10) }}",
    ],
)
def test_a_template_that_would_take_all_memory(template: str) -> None:
    tracemalloc.start()
    with pytest.raises(SpecError) as raised:
        rendered(TokenizerConfig(named=NAMED, template=template), CHATS[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.code for one in raised.value.diagnostics] == ["E763"]
    assert peak < 50e6


def test_long_conversations_are_within_the_limits() -> None:
    template = "{{ (messages[0].content.replace('a', 'bcd') ~ '!') | trim + '%s' % messages[0].role }}"
    text = rendered(TokenizerConfig(named=NAMED, template=template), [{"role": "user", "content": "a" * 300_000}])
    assert text == "bcd" * 300_000 + "!user"


def test_a_missing_template_is_named() -> None:
    with pytest.raises(SpecError, match=r"E763\]: the tokenizer has no chat template"):
        rendered(TokenizerConfig(named={}), CHATS[0])
