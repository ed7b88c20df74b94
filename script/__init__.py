"""The commands (server, test, lint, flask) and the stores that they run locally."""
