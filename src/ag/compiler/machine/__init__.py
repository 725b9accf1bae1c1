"""From LLVM's text to functions that Python calls: compiled, kept on disk, run by several threads."""
