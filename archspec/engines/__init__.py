"""Programs to artifacts: one file a target, behind one small interface."""
