"""Each command that needs no bundle: what it prints as text and as JSON, and what it leaves behind."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from archspec.diagnostics import CODES
from tests.cli.conftest import Command
from tests.editing import edited

# 50 * 16 + 12 * 16 for the tables; a layer has 4 * (16 * 16 + 16) + (16 * 64 + 64) + (64 * 16 + 16) + 2 * 32.
PARAMETERS = 800 + 192 + 2 * (1088 + 1088 + 1040 + 64) + 32


def test_check(archspec: Command) -> None:
    ran = archspec("check", "small.yaml")
    assert ran.status == 0
    assert ran.err == ""
    assert ran.out.startswith(f"small: {PARAMETERS:,} parameters, ")
    assert "\n  ids: int64[batch, length] < 50\n" in ran.out
    assert "\n  -> logits: float[batch, length, 50]\n" in ran.out
    assert "\n  rule causal(output: logits, input: ids): proved" in ran.out


def test_check_json(archspec: Command) -> None:
    data = archspec("check", "small.yaml", "--json").data
    assert data["holds"]
    assert data["name"] == "small"
    assert data["parameters"] == data["trainable"] == PARAMETERS
    assert data["weight_bytes"] == 4 * PARAMETERS
    assert data["diagnostics"] == []
    assert data["rules"][0]["rule"] == "causal(output: logits, input: ids)"
    assert data["rules"][0]["status"] == "proved"


def test_check_under_set(archspec: Command) -> None:
    assert archspec("check", "small.yaml", "--set", "layers=1", "--json").data["parameters"] == PARAMETERS - 3280
    broken = archspec("check", "small.yaml", "--set", "graph.states.attention.mask=all")
    assert broken.status == 1
    assert broken.err.startswith("error[E440]")


def test_check_tells_a_broken_rule(archspec: Command, folder: Path) -> None:
    text = (folder / "small.yaml").read_text(encoding="utf-8")
    leak = edited(text, ("block: decoder", "block: transformer"), ("mask: causal", "mask: all"))
    (folder / "leak.yaml").write_text(leak, encoding="utf-8")
    ran = archspec("check", "leak.yaml")
    assert ran.status == 1
    assert "leak.yaml:18:" in ran.err
    data = archspec("check", "leak.yaml", "--json")
    assert data.status == 1
    assert not data.data["holds"]
    assert [rule["status"] for rule in data.data["rules"] if rule["rule"].startswith("causal")] == ["violated"]


def test_a_warning_is_0_and_under_strict_1(archspec: Command, folder: Path) -> None:
    text = (folder / "small.yaml").read_text(encoding="utf-8")
    (folder / "wide.yaml").write_text(edited(text, ("mask: causal", "mask: last(64)")), encoding="utf-8")
    ran = archspec("check", "wide.yaml")
    assert ran.status == 0
    assert ran.err.startswith("warning[W401]")
    assert archspec("check", "wide.yaml", "--strict").status == 1


def test_wrong_counts_are_1(archspec: Command, folder: Path) -> None:
    path = folder / "small.yaml"
    path.write_text(path.read_text(encoding="utf-8") + f"counts: {{parameters: {PARAMETERS + 1}}}\n", encoding="utf-8")
    ran = archspec("check", "small.yaml")
    assert ran.status == 1
    assert f"{PARAMETERS:,}" in ran.err or str(PARAMETERS) in ran.err


def test_show(archspec: Command) -> None:
    ran = archspec("show", "small.yaml")
    assert ran.status == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["node", "what", "gives", "parameters", "FLOP"]
    assert ["layers", "x", "2", "DecoderLayer", "float[batch,", "length,", "16]", "6,560"] in [row[:8] for row in lines]
    assert lines[-1] == ["FLOP", "at", "batch", "2,", "length", "6"]
    assert "…" not in ran.out


def test_show_depth(archspec: Command) -> None:
    names = [line.split()[0] for line in archspec("show", "small.yaml", "--depth", "1").out.splitlines()]
    assert names == ["node", "ids", "source", "states", "logits", "FLOP"]


def test_show_json_adds_up(archspec: Command) -> None:
    nodes = archspec("show", "small.yaml", "--json").data["nodes"]
    assert sum(node["parameters"] for node in nodes) == PARAMETERS


def test_show_ir(archspec: Command) -> None:
    text = archspec("show", "small.yaml", "--ir").out
    assert "repeat" in text
    assert archspec("show", "small.yaml", "--ir", "--json").data == {"name": "small", "ir": text.removesuffix("\n")}


def test_compile_prints_the_file(archspec: Command) -> None:
    ran = archspec("compile", "small.yaml")
    assert ran.status == 0
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(ran.out))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {str(name).partition(".")[0] for name in imported} <= {"__future__", "torch", "typing", "math"}


def test_compile_writes_the_file(archspec: Command, folder: Path) -> None:
    printed = archspec("compile", "small.yaml").out
    ran = archspec("compile", "small.yaml", "-o", "model.py")
    assert ran.out == f"wrote model.py: {printed.count(chr(10))} lines\n"
    assert (folder / "model.py").read_text(encoding="utf-8") == printed
    assert archspec("compile", "small.yaml", "--json").data["source"] == printed
    assert archspec("compile", "small.yaml", "-o", "model.py", "--json").data["output"] == "model.py"


def test_compile_writes_how_ranks_share_the_module(archspec: Command, folder: Path) -> None:
    ran = archspec("compile", "small.yaml", "--parallel", "2", "-o", "model.py")
    assert ran.out.splitlines()[1] == "wrote parallelize.py: for 2 tensor ranks"
    assert '"states.layers.*.attention.q.weight": Shard(0),' in (folder / "parallelize.py").read_text()
    archspec("compile", "small.yaml", "--parallel", "2", "--sequence", "-o", "model.py")
    assert '"states": {0: (Replicate(), Shard(1))},' in (folder / "parallelize.py").read_text()
    refused = archspec("compile", "small.yaml", "--parallel", "2")
    assert refused.status == 2
    assert "--parallel writes parallelize.py beside the module; give the module's file with --output" in refused.err


def test_compile_writes_the_stages_of_a_pipeline(archspec: Command, folder: Path) -> None:
    ran = archspec("compile", "small.yaml", "--pipeline", "2", "--parallel", "2", "-o", "model.py")
    names = ["stage_0.py", "stage_1.py", "parallelize_0.py", "parallelize_1.py", "pipeline.py"]
    assert [line.split(":")[0] for line in ran.out.splitlines()[1:]] == [f"wrote {name}" for name in names]
    assert '"states.layers": 1' in (folder / "pipeline.py").read_text()
    refused = archspec("compile", "small.yaml", "--pipeline", "2")
    assert "--pipeline writes pipeline.py beside the module; give the module's file with --output" in refused.err


def test_compile_into_a_folder_that_is_not_there(archspec: Command) -> None:
    ran = archspec("compile", "small.yaml", "-o", "nowhere/model.py")
    assert ran.status == 1
    assert ran.err == "error[E702]: cannot write nowhere/model.py: no such file or directory\n\n"


def test_compile_writes_nothing_that_does_not_hold(archspec: Command, folder: Path) -> None:
    ran = archspec("compile", "small.yaml", "-o", "model.py", "--set", "heads=3")
    assert ran.status == 1
    assert not (folder / "model.py").exists()


def test_expose(archspec: Command) -> None:
    ran = archspec("compile", "small.yaml", "--expose", "states.layers.1.attention.weights")
    assert ran.status == 0
    assert "states_layers_1_attention_weights: float [batch, 2, length, length]" in ran.out
    wrong = archspec("compile", "small.yaml", "--expose", "states.layers.2.attention.weights")
    assert wrong.status == 1
    assert "--> --expose" in wrong.err


def test_explain(archspec: Command) -> None:
    assert archspec("explain", "e440").out.startswith("# E440: ")
    listed = archspec("explain").out
    assert all(f"  {code}  {entry.title}\n" in listed for code, entry in CODES.items())
    assert set(archspec("explain", "--json").data) == set(CODES)
    data = archspec("explain", "E440", "--json").data
    assert data["code"] == "E440"
    assert data["title"] == CODES["E440"].title
    assert data["page"].startswith("# E440: ")


def test_schema(archspec: Command) -> None:
    ran = archspec("schema")
    assert ran.data["$schema"].startswith("https://json-schema.org/")
    compact = archspec("schema", "--json").out
    assert compact.count("\n") == 1
    assert json.loads(compact) == ran.data


def test_list(archspec: Command) -> None:
    data = archspec("list", "--json").data
    assert {"bert-base", "gpt2", "minilm-l6", "transformer-base", "transformer-big", "vit-b16"} <= set(data)
    assert all(data.values())
    assert [line.split("  ")[0] for line in archspec("list").out.splitlines()] == list(data)


@pytest.mark.parametrize("name", ["gpt2", "minilm-l6"])
def test_init_gives_a_spec_that_holds(archspec: Command, folder: Path, name: str) -> None:
    ran = archspec("init", name)
    assert ran.out == f"wrote {name}.yaml; next: archspec check {name}.yaml\n"
    assert archspec("check", f"{name}.yaml").out == archspec("check", name).out


def test_init_never_overwrites(archspec: Command, folder: Path) -> None:
    (folder / "gpt2.yaml").write_text("mine", encoding="utf-8")
    ran = archspec("init", "gpt2")
    assert ran.status == 1
    assert ran.err.startswith("error[E702]: gpt2.yaml already exists")
    assert (folder / "gpt2.yaml").read_text(encoding="utf-8") == "mine"
    assert archspec("init", "gpt2", "-o", "other.yaml", "--json").data == {"written": "other.yaml"}


def test_list_of_model_types(archspec: Command) -> None:
    data = archspec("list", "--types", "--json").data
    assert {"bert", "llama", "vit"} <= set(data)
    assert all(data.values())


CONFIGURATION = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}


def test_import_writes_a_spec_that_holds(archspec: Command, folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps(CONFIGURATION), encoding="utf-8")
    printed = archspec("import", "model").out
    assert archspec("import", "model", "-o", "a.yaml").out == (
        "wrote a.yaml (LlamaForCausalLM); next: archspec check a.yaml\n"
    )
    assert (folder / "a.yaml").read_text(encoding="utf-8") == printed
    assert archspec("init", "--from", "model").out == "wrote model.yaml; next: archspec check model.yaml\n"
    assert (folder / "model.yaml").read_text(encoding="utf-8") == printed
    assert archspec("check", "a.yaml").status == 0
    body = archspec("import", "model/config.json", "--as", "LlamaModel", "--name", "body", "--json").data
    assert {key: body[key] for key in ("name", "architecture", "written")} == {
        "name": "body",
        "architecture": "LlamaModel",
        "written": None,
    }


def test_init_takes_a_name_or_a_model(archspec: Command, folder: Path) -> None:
    assert archspec("init").status == 2
    assert archspec("init", "gpt2", "--from", ".").status == 2
