"""One loop for all methods, and what it needs: the run, steps, optimizers, checkpoints, snapshots."""
