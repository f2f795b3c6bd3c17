"""The package as users install it: into clean environments, with its extras."""
