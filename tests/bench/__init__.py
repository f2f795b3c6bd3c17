"""What the measurements write into the documentation; the measurements themselves are no tests."""
