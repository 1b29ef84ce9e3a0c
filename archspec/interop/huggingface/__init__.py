"""Folders of Hugging Face: `config.json` becomes a spec, by one file a model type."""
