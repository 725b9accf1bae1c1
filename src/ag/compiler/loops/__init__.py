"""Loops and branches: one quantity each, whose body is a program; their derivatives, and their machine code."""
