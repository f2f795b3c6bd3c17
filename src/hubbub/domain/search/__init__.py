"""Full-text search without I/O: the tokeniser, the query language, and the matching of a text."""
