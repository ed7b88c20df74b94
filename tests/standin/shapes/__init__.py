"""JSON as GitHub gives it: pure functions from the model to plain dicts. githubkit judges them."""
