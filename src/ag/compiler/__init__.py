"""The compiler behind `ag.jit`: trace -> program -> passes -> kernels -> run, one file each."""
