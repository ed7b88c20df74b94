"""A stand-in GitHub: a real HTTP server that behaves as GitHub documents; tests and demo use it."""
