"""Train on several processes, each of which holds a part of the module; stop it anywhere and start it again.

    torchrun --nproc-per-node 4 examples/parallel/train.py --task language --data 2 --tensor 2 --folder runs/language

A process may be killed: torchrun ends the others, and the same command goes on from the newest checkpoint, with the
losses that it would have had. The numbers of `--data` and `--tensor` may change in between: the losses are the same
then, but for what dropout drops.
On GPUs, `--backend nccl`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist
from tasks import TASKS, Batch, Language, Reversal, summed_loss
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.optim import AdamW

import archspec
from archspec.parallel import initialise, parallelize, resume, save

SEED, RATE, WARMUP = 0, 3e-3, 20


def batch_of(task: Reversal | Language, step: int, mesh: DeviceMesh) -> Batch:
    """The rows of a step that this rank computes: the step alone decides, so nothing of the data needs to be saved."""
    place, count = mesh["data"].get_local_rank(), mesh["data"].size()
    whole = task.batch(torch.Generator().manual_seed(SEED + step))
    # Ranks of one row of `tensor` must drop the same features.
    torch.manual_seed(SEED + step * count + place)
    return {name: rows.chunk(count)[place].to(mesh.device_type) for name, rows in whole.items()}


def loss_of(module: nn.Module, batch: Batch, mesh: DeviceMesh) -> tuple[Tensor, Tensor]:
    """What to differentiate, and the mean loss over the rows of all ranks."""
    summed = summed_loss(module, batch)
    both = torch.stack((summed.detach(), (batch["wanted"] >= 0).sum()))
    dist.all_reduce(both, group=mesh["data"].get_group())
    # `fully_shard` takes the mean of the ranks' gradients, and ranks may have different numbers of ids.
    return summed * mesh["data"].size() / both[1], both[0] / both[1]


def train(options: argparse.Namespace, mesh: DeviceMesh) -> nn.Module:
    """The module after all steps."""
    task = TASKS[options.task]()
    with torch.device("meta"):
        module = archspec.compile(task.spec)
    # As `archspec parallel` plans it, by the code that `archspec compile --parallel` writes.
    parallelize(module, task.spec, mesh)
    initialise(module, task.spec, seed=SEED)
    optimizer = AdamW(module.parameters(), lr=RATE)
    found = resume(options.folder, module, optimizer)
    first = found.step if found is not None else 0
    for step in range(first, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP)
        loss, mean = loss_of(module, batch_of(task, step, mesh), mesh)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if dist.get_rank() == 0 and (step % options.print_every == 0 or step == options.steps - 1):
            print(f"step {step}: loss {mean.item():.6f}", flush=True)
        if (step + 1) % options.every == 0:
            save(options.folder, module, optimizer, step=step + 1, data={"rows": (step + 1) * task.rows})
    return module


def write(module: nn.Module, path: Path) -> None:
    """Write the whole weights to one file, which `archspec generate` and `archspec build` take."""
    tensors = {
        name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        for name, tensor in module.state_dict().items()
    }
    if dist.get_rank() == 0:
        from archspec.weights import write_weights

        write_weights(path, {name: tensor.cpu() for name, tensor in tensors.items()})
        print(f"wrote {path}")


def main(options: argparse.Namespace) -> None:
    """Train and write the weights, as one of the processes that torchrun starts."""
    if options.backend == "nccl":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(options.backend)
    print(f"rank {dist.get_rank()} is process {os.getpid()}", flush=True)
    device = "cuda" if options.backend == "nccl" else "cpu"
    mesh = init_device_mesh(device, (options.data, options.tensor), mesh_dim_names=("data", "tensor"))
    module = train(options, mesh)
    write(module, options.folder / "model.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="checkpoints, and the weights in the end")
    parser.add_argument("--data", type=int, default=1, help="ranks that divide the rows of a batch")
    parser.add_argument("--tensor", type=int, default=1, help="ranks that divide heads and hidden features")
    parser.add_argument("--backend", choices=["gloo", "nccl"], default="gloo")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=50, help="steps from one checkpoint to the next")
    parser.add_argument("--print-every", type=int, default=50, help="steps from one printed loss to the next")
    main(parser.parse_args())
