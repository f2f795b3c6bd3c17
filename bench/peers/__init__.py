"""One small file per measured server: how it starts and which protocol the generator uses."""
