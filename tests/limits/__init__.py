"""Every limit of what people write and ask for: at the limit it works, one past it there is a code and nothing else."""
