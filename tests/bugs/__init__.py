"""Mistakes that hurt people elsewhere, tried here: each test names the class that docs/security-tests.md lists."""
