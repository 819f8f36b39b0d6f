"""What is computed of arrays alone: random streams, distances, k-means, whitening, agreement with classes."""
