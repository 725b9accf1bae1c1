"""From a program to the text of machine code: what is computed together, in which loops, and how memory is passed through."""
