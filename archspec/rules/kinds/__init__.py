"""One file for each kind of rule: its fields, the pairs it allows or demands, its verdict, its probes and its page."""
