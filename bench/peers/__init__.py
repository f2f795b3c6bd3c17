"""One small file per measured server.

It tells how the server starts and which protocol the generator uses.
"""
