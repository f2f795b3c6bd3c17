"""Every limit of inputs: the limit itself works, and one more is refused with a code."""
