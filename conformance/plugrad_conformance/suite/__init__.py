"""The suite: one module per question that is asked of a backend."""
