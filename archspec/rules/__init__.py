"""What is claimed of a spec, and what is known of each claim."""
