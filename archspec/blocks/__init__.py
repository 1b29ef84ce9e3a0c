"""Blocks: pydantic models of the language's blocks, each with one `build` that makes it from primitives."""
