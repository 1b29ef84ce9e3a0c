"""GGUF, the file format of llama.cpp: its header, and its tensors one at a time."""
