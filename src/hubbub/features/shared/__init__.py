"""What several features share: the registry of handlers, their guard, and common policy."""
