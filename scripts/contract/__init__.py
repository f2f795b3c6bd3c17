"""The generated contract: JSON Schema, OpenAPI, AsyncAPI, TypeScript and the reference page."""
