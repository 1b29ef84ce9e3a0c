"""The contract: rules, shapes and promises held against anything that has named inputs and outputs."""
