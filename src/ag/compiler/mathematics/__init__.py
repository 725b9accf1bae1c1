"""Instructions on vectors in LLVM's text, and the elementary functions written in them."""
