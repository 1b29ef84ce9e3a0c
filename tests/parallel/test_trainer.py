"""Hugging Face's Trainer on a compiled module: the losses of a plain loop, and a folder that `load_weights` reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import archspec
from archspec.parallel import for_trainer, next_token_loss
from tests.parallel.training import LARGEST, ROWS, STEPS, batch, built, checked, train

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")


def test_trainer_gives_the_losses_of_a_plain_loop_and_saves_the_module(tmp_path: Path) -> None:
    alone = train(1, 1)
    module, optimizer = built(1, 1)
    rows = [{"ids": row, "labels": row, "unused": row} for step in range(STEPS) for row in batch(step)]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "run"),
        max_steps=STEPS,
        per_device_train_batch_size=ROWS,
        train_sampling_strategy="sequential",
        max_grad_norm=LARGEST,
        lr_scheduler_type="constant",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    losses: list[float] = []

    def noted(logits: Tensor, labels: Tensor) -> Tensor:
        loss = next_token_loss(logits, labels)
        losses.append(float(loss.detach()))
        return loss

    shim = for_trainer(module, noted)
    trainer = transformers.Trainer(shim, arguments, train_dataset=rows, optimizers=(optimizer, None))
    trainer.train()
    assert losses == pytest.approx(alone, abs=1e-9, rel=0)
    # What Trainer writes down it adds up in float32.
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert logged == pytest.approx(alone, abs=1e-6, rel=0)
    found = trainer.predict(rows[:ROWS])
    with torch.inference_mode():
        logits = module.eval()(batch(0))
    assert torch.equal(torch.tensor(found.predictions), logits)
    assert found.metrics["test_loss"] == pytest.approx(float(next_token_loss(logits, batch(0))))
    trainer.save_model(str(tmp_path / "saved"))
    again = archspec.compile(checked()).double()
    assert archspec.load_weights(again, checked(), tmp_path / "saved").layout is None
    assert all(torch.equal(tensor, module.state_dict()[name]) for name, tensor in again.state_dict().items())


def test_the_shim_takes_the_names_of_the_module_and_its_state() -> None:
    module, _ = built(1, 1)
    shim = for_trainer(module, next_token_loss)
    assert shim.state_dict().keys() == module.state_dict().keys()
    shim.load_state_dict({name: tensor + 1 for name, tensor in module.state_dict().items()})
    ids = batch(0)
    assert shim(ids).keys() == {"logits"}
    assert torch.equal(shim(ids=ids, labels=ids)["loss"], next_token_loss(module(ids), ids))
    with pytest.raises(TypeError, match="unexpected keyword argument 'rows'"):
        shim(ids, rows=ids)


def test_the_loss_is_that_of_transformers() -> None:
    config = transformers.LlamaConfig(
        vocab_size=31, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config)
    ids = torch.randint(31, (2, 7), generator=torch.Generator().manual_seed(0))
    labels = ids.masked_fill(ids < 6, -100)
    expected = model(ids, labels=labels)
    assert float(next_token_loss(expected.logits.detach(), labels)) == pytest.approx(
        float(expected.loss.detach()), abs=1e-6
    )
