"""Programs of single numbers, run by an interpreter whose instructions are compiled."""
