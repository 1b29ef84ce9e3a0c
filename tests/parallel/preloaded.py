"""What the server has loaded that ranks are forked from: loading it takes seconds, and every rank would."""

import torch._dynamo
import torch.distributed.checkpoint
import torch.distributed.fsdp
import torch.distributed.tensor.parallel  # noqa: F401

from archspec.checking import accepted
from archspec.checking.loading import load_weights  # noqa: F401
from archspec.lower.modules import compile  # noqa: F401

# Ops, blocks and rules are found by themselves when a spec is checked.
accepted("gpt2", reduced=True)
