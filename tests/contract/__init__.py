"""The contract, walked sentence by sentence from outside: a real process, HTTP and WebSockets, nothing of our code."""
