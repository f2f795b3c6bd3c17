"""Sans-I/O: frames in, commands out; events in, frames out. Imports the domain only."""
