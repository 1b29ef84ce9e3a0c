"""`generate --prompt`: text from a bundle with a tokenizer, or from a spec with one named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import archspec as package
from archspec.bundle import build
from archspec.cli.generate_text import print_texts
from archspec.decoding import DecodingStep, Generated, TextStep
from archspec.diagnostics import SpecError
from tests.cli.conftest import SMALL, Command
from tests.decoding.words import by_bytes, saved
from tests.editing import edited

DECODE = "decode: {input: ids, output: logits, start: none, end: 0, ban: [266, 267, 268, 269]}\n"
GIVEN = ("--prompt", "the cat", "--prompt", "é", "--max-new", "5")
TEXTS = ["the cat", "é"]
CONFIG = {"eos_token": "<end>", "chat_template": "{% for one in messages %}{{ one.role[0] + one.content }}{% endfor %}"}


@pytest.fixture
def named(folder: Path) -> tuple[str, ...]:
    """The small spec with the size of the tokenizer's vocabulary, its weights and the tokenizer."""
    text = edited(SMALL, ("vocab: 50, context: 12", "vocab: 270, context: 40")) + DECODE
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    torch.manual_seed(3)
    save_file(package.compile("small.yaml").state_dict(), folder / "w.safetensors")
    saved(folder / "words", by_bytes(), CONFIG)
    return ("generate", "small.yaml", "--weights", "w.safetensors", "--tokenizer", "words")


@pytest.fixture
def bundle(folder: Path, named: tuple[str, ...]) -> Path:
    files = sorted((folder / "words").iterdir())
    return build("small.yaml", folder / "built", weights=folder / "w.safetensors", targets=(), files=files).path


def expected(prompts: object, **options: object) -> tuple[Generated, ...]:
    torch.manual_seed(3)
    module = package.compile("small.yaml")
    return package.generate("small.yaml", prompts, max_new=5, module=module, tokenizer="words", **options)  # type: ignore[arg-type]


def test_text_row_by_row(archspec: Command, named: tuple[str, ...]) -> None:
    ran = archspec(*named, *GIVEN)
    assert ran.status == 0
    assert ran.out == "".join(f"{row.text}\n" for row in expected(TEXTS))
    assert re.fullmatch(r"10 ids in \d+\.\d\d s, \d+\.\d ids/s\n", ran.err)


def test_rows_that_end_in_another_order(archspec: Command, named: tuple[str, ...]) -> None:
    """A row that is done before those above it waits for its turn."""
    second = expected(TEXTS)[1].ids
    stop = next(id for id in second if id not in expected(TEXTS)[0].ids)
    rows = expected(TEXTS, stop=[stop])
    assert len(rows[1].ids) < len(rows[0].ids)
    ran = archspec(*named, *GIVEN, "--stop", str(stop))
    assert ran.out == f"{rows[0].text}\n{rows[1].text}\n"
    ran = archspec(*named, "--prompt", "é", "--prompt", "the cat", "--max-new", "5", "--stop", str(stop))
    assert ran.out == f"{rows[1].text}\n{rows[0].text}\n"


@pytest.mark.parametrize("raised", [SpecError([]), KeyboardInterrupt()])
def test_what_fails_in_the_middle_of_a_line_ends_it(raised: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    def steps(count: int) -> Iterator[TextStep]:
        for number in range(count):
            yield TextStep(
                step=DecodingStep(rows=(0,), ids=(number,), logits=torch.zeros(1, 4)), texts=(f" w{number}",)
            )
        raise raised

    for count, printed in ((0, ""), (2, " w0 w1\n")):
        with pytest.raises(type(raised)):
            print_texts(steps(count))
        assert capsys.readouterr().out == printed


def test_a_beam_search_is_told_when_it_has_ended(archspec: Command, named: tuple[str, ...]) -> None:
    ran = archspec(*named, *GIVEN, "--beams", "2")
    assert (ran.status, ran.out) == (0, "".join(f"{row.text}\n" for row in expected(TEXTS, beams=2)))
    assert expected(TEXTS, beams=2) != expected(TEXTS)


def test_json_has_prompt_text_and_ids(archspec: Command, named: tuple[str, ...]) -> None:
    ran = archspec(*named, *GIVEN, "--json", "--log-probabilities")
    for row, text, one in zip(expected(TEXTS), TEXTS, ran.data["rows"], strict=True):
        assert one["prompt_text"] == text
        assert (tuple(one["prompt"]), tuple(one["ids"])) == (row.prompt, row.ids)
        assert (one["text"], one["ended"]) == (row.text, row.ended)
        assert len(one["log_probabilities"]) == 5


def test_a_bundle_and_conversations(archspec: Command, bundle: Path) -> None:
    ran = archspec("generate", "built", *GIVEN)
    assert (ran.status, ran.out) == (0, "".join(f"{row.text}\n" for row in expected(TEXTS)))
    chat = archspec("generate", "built", *GIVEN, "--chat")
    assert chat.out == "".join(f"{row.text}\n" for row in expected(["uthe cat", "ué"]))
    led = archspec("generate", "built", *GIVEN, "--chat", "--system", "c")
    assert led.out == "".join(f"{row.text}\n" for row in expected(["scuthe cat", "scué"]))
    ids = ",".join(map(str, by_bytes().encode("é").ids))
    plain = archspec("generate", "built", "--prompt-ids", ids, "--max-new", "5")
    assert plain.out == ",".join(map(str, expected(["é"])[0].ids)) + "\n"
    told = archspec("generate", "built", "--prompt-ids", ids, "--max-new", "5", "--tokenizer", "words")
    assert told.out == f"{expected(['é'])[0].text}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("--prompt", "the", "--prompt-ids", "1"), 2, "give either --prompt or --prompt-ids"),
        (("--prompt-ids", "1", "--chat"), 2, "--chat needs --prompt"),
        (("--prompt", "the", "--system", "a"), 2, "--system needs --chat"),
        (("--prompt", "the", "--tokenizer", "nowhere"), 1, "error[E760]: there is no tokenizer nowhere"),
        (("--prompt", "the", "--tokenizer", "small.yaml"), 1, "error[E761]: small.yaml is not a tokenizer"),
        (("--prompt", "the", "--set", "vocab=200"), 1, "error[E762]"),
        (("--prompt", ""), 1, "error[E741]"),
        (("--prompt", "the", "--chat", "--tokenizer", "plain"), 1, "error[E763]: the tokenizer has no chat template"),
    ],
)
def test_refusals(
    archspec: Command, folder: Path, named: tuple[str, ...], arguments: tuple[str, ...], status: int, text: str
) -> None:
    saved(folder / "plain", by_bytes())
    ran = archspec("generate", "small.yaml", "--set", "decode.ban=[]", "--tokenizer", "words", *arguments)
    assert ran.status == status
    assert text in ran.err
    assert ran.out == ""


def test_text_needs_a_tokenizer(archspec: Command, named: tuple[str, ...], folder: Path) -> None:
    for source in ("small.yaml", build("small.yaml", folder / "bare", targets=()).path.name):
        ran = archspec("generate", source, "--prompt", "the")
        assert ran.status == 1
        assert "error[E760]" in ran.err


def test_the_source_of_an_encoder_decoder(archspec: Command, folder: Path) -> None:
    sizes = {"layers": "1", "d_model": "16", "heads": "2", "head_dim": "8", "d_ff": "24", "vocab": "270"}
    set = {**sizes, "decode.start": "1", "decode.end": "0", "decode.ban": "[266, 267, 268, 269]"}
    saved(folder / "words", by_bytes())
    overrides = [part for name, value in set.items() for part in ("--set", f"{name}={value}")]
    given = ("--source", "the cat", "--source", "é", "--tokenizer", "words", "--max-new", "4", "--seed", "3")
    ran = archspec("generate", "t5-small", *overrides, *given)
    spec = package.load("t5-small", set=set)
    torch.manual_seed(3)
    rows = package.generate(
        spec, module=package.compile(spec), inputs={"src_ids": TEXTS}, tokenizer=folder / "words", max_new=4
    )
    assert (ran.status, ran.out) == (0, "".join(f"{row.text}\n" for row in rows))
    ran = archspec("generate", "gpt2", "--reduced", "--source", "the", "--tokenizer", "words", "--prompt-ids", "1")
    assert ran.status == 1 and "error[E745]: no input takes a source" in ran.err
