"""I/O pumps: each turns its own dialect into commands and events into its own dialect. No decisions about chat."""
