"""The contract, tested sentence by sentence from outside.

The tests use a real process, HTTP and WebSockets.
"""
