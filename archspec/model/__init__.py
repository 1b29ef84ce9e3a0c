"""The typed boundary: ports and sizes, checked inputs, generated inputs, and what runs a model."""
