"""From a program to one that computes the same with less work."""
