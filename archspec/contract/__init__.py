"""The contract: checks rules, shapes and promises on any model with named inputs and outputs, by running it."""
