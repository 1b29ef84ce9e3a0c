"""Plans of how a module runs on several ranks of `torch.distributed`, and the code that applies them."""
