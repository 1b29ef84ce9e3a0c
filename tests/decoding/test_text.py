"""Text from ids and ids from text: pieces that add up, rows, start and end ids, and tokenizers that do not fit."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Library

import archspec
from archspec.bundle import build
from archspec.decoding import TextDecoder, decoder, read_tokenizer, text_decoder, text_packages
from archspec.decoding.continuation import Continuation, continued
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from tests.decoding.running import compiled
from tests.decoding.words import END, START, TURN, around, by_bytes, by_pieces, by_words, raw, saved

VOCAB = 270
"""More than the 266 ids of `by_bytes`: tables are often padded."""
LEAST = {"layers": "1", "d_model": "16", "heads": "2", "vocab": str(VOCAB), "context": "64"}
BANNED = f"[{', '.join(map(str, range(266, VOCAB)))}]"


def spec_of(**more: str) -> Spec:
    set = {**LEAST, "dims.length": "[1, 9, context]", "decode.end": str(END), "decode.ban": BANNED, **more}
    return load("gpt2", set=set)


def pieces(tokenizer: Path, prompt: list[int], ids: list[int]) -> list[str]:
    row = Continuation(read_tokenizer(tokenizer), prompt)
    return [*(row.add(id) for id in ids), row.end()]


@pytest.mark.parametrize("make", [by_bytes, by_words])
def test_pieces_of_any_ids_are_the_whole_text(make: Callable[[], Library], tmp_path: Path) -> None:
    """Random ids are mostly halves of characters, spaces, and special tokens in between."""
    made = make()
    tokenizer = read_tokenizer(saved(tmp_path, made))
    draw = random.Random(0)
    for _ in range(300):
        ids = [draw.randrange(tokenizer.size) for _ in range(draw.randrange(1, 12))]
        whole = made.decode(ids, skip_special_tokens=True)
        assert whole == continued(tokenizer, [], ids)
        # A prompt that ends inside a character leaves it to the text.
        cut = draw.randrange(len(ids))
        before = made.decode(ids[:cut], skip_special_tokens=True)
        if not before.endswith("\ufffd"):
            assert whole == before + continued(tokenizer, ids[:cut], ids[cut:])


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A wrong byte after right ones: they stay, although the tokenizer would take them back."""
    made = by_pieces()
    tokenizer = read_tokenizer(saved(tmp_path, made))
    day = made.encode("é日").ids[1:]
    assert len(day) == 5
    wrong = made.token_to_id("<0xFF>")
    assert continued(tokenizer, [], [*day, wrong]) == "é日\ufffd"
    assert continued(tokenizer, [], [*day, wrong, *made.encode("the é").ids]) == "é日\ufffd the é"
    assert continued(tokenizer, day[:3], [*day[3:], wrong]) == "日\ufffd"
    for cut in range(len(day)):
        assert continued(tokenizer, day[:cut], day[cut:]) == ("é日" if cut < 2 else "日")


def test_bytes_of_any_ids(tmp_path: Path) -> None:
    """The same text as Python makes of the bytes."""
    made = by_bytes()
    folder = saved(tmp_path, made)
    draw = random.Random(1)
    for _ in range(100):
        ids = [draw.randrange(266) for _ in range(10)]
        assert "".join(pieces(folder, [], ids)) == raw(made, ids).decode("utf-8", errors="replace")


@pytest.mark.parametrize("make", [by_bytes, by_pieces])
def test_a_character_is_told_whole_and_at_once(make: Callable[[], Library], tmp_path: Path) -> None:
    made = make()
    text = "the é 日本 🎉 the"
    ids = made.encode(f"{text}!").ids
    told = pieces(saved(tmp_path, made), ids[:1], ids[1:])
    assert "\ufffd" not in "".join(told)
    assert made.decode(ids[:1]) + "".join(told) == f"{text}!"
    # Nothing is held back longer than its bytes take.
    first, whole = made.decode(ids[:1]), 0
    for count in range(1, len(ids)):
        begun = made.decode(ids[: count + 1])
        if "\ufffd" not in begun:
            assert first + "".join(told[:count]) == begun
            whole += 1
    assert 4 < whole < len(ids) - 4


def test_the_space_before_a_word_stays(tmp_path: Path) -> None:
    made = by_pieces()
    folder = saved(tmp_path, made)
    the, cat = made.encode("the").ids, made.encode("the cat").ids
    assert made.decode(cat[len(the) :]) == "cat"
    assert "".join(pieces(folder, the, cat[len(the) :])) == " cat"
    # A special token between the two is no start of a text.
    assert "".join(pieces(folder, [*the, TURN], cat[len(the) :])) == " cat"


def test_special_tokens_are_left_out(tmp_path: Path) -> None:
    made = by_bytes()
    ids = made.encode("the é").ids
    half = len(ids) - 1
    split = made.encode("日").ids
    mixed = [START, *ids[:half], TURN, *ids[half:], split[0], TURN, *split[1:], END]
    assert "".join(pieces(saved(tmp_path, made), [], mixed)) == "the é日"


def rows(spec: Spec, folder: Path, prompts: object, **options: object) -> tuple[list[str], TextDecoder]:
    made = text_decoder(spec, compiled(spec), tokenizer=folder)
    whole = made.generate(prompts, max_new=12, **options)
    told = [""] * len(whole)
    for step in made.stream(prompts, max_new=12, **options):
        for row, piece in zip(step.step.rows, step.texts, strict=True):
            told[row] += piece
    assert [row.text for row in whole] == told
    return told, made


def test_streams_equal_whole_texts_and_the_ids_are_those_of_the_prompts(tmp_path: Path) -> None:
    spec, library = spec_of(), by_bytes()
    folder = saved(tmp_path, library)
    prompts = ["the cat", "é", "the 日本"]
    ids = [library.encode(text).ids for text in prompts]
    plain = decoder(spec, compiled(spec))
    options = {"stop": [plain.generate(ids, max_new=12)[1].ids[4]]}
    texts, made = rows(spec, folder, prompts, **options)
    alone = plain.generate(ids, max_new=12, stop=options["stop"])
    assert len({len(row.ids) for row in alone}) > 1, "the rows should end at different steps"
    for row, text in zip(alone, texts, strict=True):
        assert text == raw(library, row.ids).decode("utf-8", errors="replace")
    one = made.generate("the cat", max_new=12, **options)
    assert [row.text for row in one] == texts[:1]
    assert one[0].prompt == tuple(ids[0])
    found = archspec.generate(spec, ids, module=compiled(spec), max_new=12, tokenizer=folder, **options)  # type: ignore[arg-type]
    assert [row.text for row in found] == texts


def test_a_bundle_takes_text_by_the_tokenizer_among_its_files(tmp_path: Path) -> None:
    spec = spec_of()
    folder = saved(tmp_path / "made", by_bytes(), {"eos_token": "<end>", "chat_template": "{{ messages[0].content }}"})
    torch.manual_seed(2)
    weights = archspec.compile(spec).state_dict()
    bundle = build(spec, tmp_path / "b", weights=weights, targets=(), files=[*folder.iterdir()])
    expected = archspec.generate(spec, ["the cat"], module=weights, max_new=9, tokenizer=folder)
    assert archspec.generate(bundle, ["the cat"], max_new=9) == expected
    chat = [{"role": "user", "content": "the cat"}]
    assert archspec.generate(bundle, [chat], max_new=9) == expected == archspec.generate(bundle, chat, max_new=9)
    assert archspec.generate(bundle, [expected[0].prompt], max_new=9)[0].text is None
    assert "tokenizer.json" in bundle.file("tokenizer.json").name
    bare = build(spec, tmp_path / "bare", weights=weights, targets=())
    with pytest.raises(SpecError, match=r"E760\]: the bundle has no tokenizer\.json"):
        archspec.generate(bare, "the cat", max_new=1)
    assert archspec.generate(bare, "the cat", max_new=9, tokenizer=folder) == expected


def test_a_start_id_is_fed_once(tmp_path: Path) -> None:
    """Whether the tokenizer writes it, the spec, or both."""
    plain, started = (saved(tmp_path / str(made), around(by_bytes(), made)) for made in ("$A", "<start> $A"))
    ids = tuple(by_bytes().encode("the").ids)
    prompts = [
        text_decoder(spec, compiled(spec), tokenizer=folder).generate("the", max_new=1)[0].prompt
        for spec in (spec_of(), spec_of(**{"decode.start": str(START)}))
        for folder in (plain, started)
    ]
    assert prompts == [ids, (START, *ids), (START, *ids), (START, *ids)]


@pytest.mark.parametrize(
    ("more", "config", "template", "message"),
    [
        ({"vocab": "200", "decode.ban": "[]"}, None, "$A", "tokenizer.json has ids up to 265, but `ids` takes 200"),
        ({"decode.end": "268"}, None, "$A", "the end id 268 of the spec has no token in tokenizer.json"),
        (
            {},
            {"eos_token": "<turn>"},
            "$A",
            "the tokenizer's configuration ends rows with `<turn>`, id 2, but the spec does not",
        ),
        ({}, {"eos_token": {"content": "<turn>"}}, "$A", "ends rows with `<turn>`, id 2"),
        ({}, {"eos_token": "<end>"}, "$A <end>", "tokenizer.json ends every text with the id 0, which ends a row"),
    ],
)
def test_a_tokenizer_that_does_not_fit(
    more: dict[str, str], config: dict[str, str] | None, template: str, message: str, tmp_path: Path
) -> None:
    spec = spec_of(**more)
    made = text_decoder(spec, compiled(spec), tokenizer=saved(tmp_path, around(by_bytes(), template), config))
    for run in (made.generate, made.stream):
        with pytest.raises(SpecError) as raised:
            run("the", max_new=2)
        assert [one.code for one in raised.value.diagnostics] == ["E762"]
        assert message in str(raised.value)


def test_a_stop_id_may_be_what_ends_a_turn(tmp_path: Path) -> None:
    spec = spec_of()
    made = text_decoder(spec, compiled(spec), tokenizer=saved(tmp_path, by_bytes(), {"eos_token": "<turn>"}))
    assert made.generate("the", max_new=2, stop=[TURN])


def test_an_id_without_a_token_is_refused(tmp_path: Path) -> None:
    spec = spec_of(**{"decode.ban": f"[{', '.join(map(str, range(266)))}]"})
    made = text_decoder(spec, compiled(spec), tokenizer=saved(tmp_path, by_bytes()))
    with pytest.raises(SpecError, match=r"E762\]: tokenizer\.json has no token with the id 26"):
        made.generate("the", max_new=1)


def test_prompts_that_are_no_text(tmp_path: Path) -> None:
    spec = spec_of()
    module = compiled(spec)
    made = saved(tmp_path, by_bytes(), {"chat_template": "{{ messages[0].content }}"})
    for prompts, message in (
        (["the", [1, 2]], "prompt 1 must be text or a conversation like the others, got list"),
        ("\udcff", "a prompt contains bytes that are not UTF-8"),
        ([{"role": "user"}], "message 0 needs `content` as text, got None"),
        ([{"role": "user", "content": "a", "name": "b"}], "message 0 has `name`; expected `role` and `content`"),
    ):
        with pytest.raises(SpecError) as raised:
            archspec.generate(spec, prompts, module=module, max_new=1, tokenizer=made)
        assert raised.value.diagnostics[0].code == "E713"
        assert message in str(raised.value)
    with pytest.raises(SpecError, match="E760"):
        archspec.generate(spec, "the", module=module, max_new=1)


def test_training_settings_of_a_file_do_not_cut_or_pad_prompts(tmp_path: Path) -> None:
    made = by_bytes()
    ids = made.encode("the cat").ids
    made.enable_truncation(2)
    made.enable_padding(length=20)
    assert read_tokenizer(saved(tmp_path, made)).encode("the cat") == ids


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", "{}", "is not a tokenizer: "),
        ("tokenizer.json", b"\xff", "is not a tokenizer: "),
        ("tokenizer_config.json", "{", "is not JSON: "),
        ("tokenizer_config.json", "[]", "is not a JSON object"),
        ("tokenizer_config.json", '{"chat_template": [{"name": "rag", "template": ""}]}', "a template named `default`"),
        ("tokenizer_config.json", '{"eos_token": 5}', "must be text, got 5"),
        (
            "tokenizer_config.json",
            '{"bos_token": {"content": ["<start>"]}}',
            "must be text, got {'content': ['<start>']}",
        ),
        ("tokenizer_config.json", '{"pad_token": true}', "must be text, got True"),
        ("chat_template.jinja", b"\xff", "is not UTF-8"),
    ],
)
def test_damaged_files(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, by_bytes(), {})
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SpecError) as raised:
        read_tokenizer(folder)
    assert raised.value.diagnostics[0].code == "E761"
    assert message in str(raised.value)
    assert name in str(raised.value)


def test_what_stands_beside_a_tokenizer_is_read(tmp_path: Path) -> None:
    template = [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]
    config = {
        "eos_token": {"content": "<end>"},
        "bos_token": "<start>",
        "add_bos_token": True,
        "pad_token": None,
        "num_image_token": 256,
        "chat_template": template,
    }
    folder = saved(tmp_path, by_bytes(), config)
    read = read_tokenizer(folder / "tokenizer.json")
    assert (read.end, read.config.template) == (END, "a")
    assert read.config.named == {"eos_token": "<end>", "bos_token": "<start>"}
    (folder / "chat_template.jinja").write_text("c", encoding="utf-8")
    assert read_tokenizer(folder).config.template == "c"
    (folder / "tokenizer.json").unlink()
    with pytest.raises(SpecError, match="E760"):
        read_tokenizer(folder)


def test_missing_and_old_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    folder = saved(tmp_path, by_bytes())
    monkeypatch.setattr(text_packages, "version", missing)
    with pytest.raises(SpecError, match=r"(?s)E604\]: text needs the package tokenizers.*archspec-compiler\[text\]"):
        read_tokenizer(folder)
    monkeypatch.setattr(text_packages, "version", lambda package: "3.1.5")
    with pytest.raises(SpecError, match=r"text needs jinja2 3\.1\.6 or newer, but 3\.1\.5 is installed"):
        text_packages.require("jinja2")


def test_the_packages_are_imported_only_for_text() -> None:
    code = (
        "import sys, archspec.decoding.tokenizer, archspec.decoding.text_prompts, archspec.cli.generate_command;"
        "print(*{'tokenizers', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == ("\n", "")
