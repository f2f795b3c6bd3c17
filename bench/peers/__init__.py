"""One small file per server that is measured: how it starts and how the generator speaks to it."""
