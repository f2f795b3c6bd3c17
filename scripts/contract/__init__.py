"""The contract for others, generated from the code: JSON Schema, OpenAPI, AsyncAPI, TypeScript, the reference page."""
