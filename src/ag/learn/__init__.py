"""Multiclass classification: losses, labels drawn from probabilities, and the linear classifier."""
