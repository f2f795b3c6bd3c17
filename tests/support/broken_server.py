"""`hubbub` with one promise broken, named by the environment variable BROKEN: what negative controls run against.

Nothing of this can be switched on in the product. A control that starts a broken server and finds no violation shows
that its test cannot see.
"""
