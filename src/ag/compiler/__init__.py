"""Behind `ag.jit`: programs become LLVM IR, machine code and functions that Python calls."""
