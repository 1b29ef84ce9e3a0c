"""The typed boundary: checked specs, ports and sizes, input validation, generated inputs, and the runner interface."""
