"""What the WebSocket gateways share: handshakes, outboxes, frames, deadlines, the conversation."""
