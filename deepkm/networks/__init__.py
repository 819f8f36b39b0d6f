"""Stacked networks: S autoencoders side by side."""
