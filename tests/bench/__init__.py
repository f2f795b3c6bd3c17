"""What the benchmarks write into the documentation.

The benchmarks themselves are not tests.
"""
