"""The typed boundary: judged specs, ports and sizes, checked inputs, generated inputs, and what runs a model."""
