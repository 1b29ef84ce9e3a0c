"""One file a kind of rule: its fields, what it allows or wants, how it is judged and measured, and its page."""
