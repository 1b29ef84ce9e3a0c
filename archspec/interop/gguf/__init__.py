"""GGUF files of llama.cpp: their metadata become the configuration of a model type."""
