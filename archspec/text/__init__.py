"""The text of a spec: YAML to nodes with spans, and each sort of the language to its syntax tree."""
