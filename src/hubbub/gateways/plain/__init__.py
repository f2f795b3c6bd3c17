"""The plain-text gateway."""
