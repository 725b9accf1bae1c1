"""What the compiler does, and what a program costs, for people to read."""
