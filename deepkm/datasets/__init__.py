"""Data sets: where they come from, and the features that methods see."""
