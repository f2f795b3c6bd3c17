"""What tests share: a real server process, a client that keeps positions, a hostile proxy, and the checker."""
