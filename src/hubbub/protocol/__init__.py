"""The protocols without I/O: frames to commands, events to frames.

Imports only the domain.
"""
