"""The contract, tested sentence by sentence from outside.

A real process, HTTP and WebSockets.
"""
