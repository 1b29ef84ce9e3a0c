"""The prover: rules about a spec, and a verdict on each of them."""
