"""The part of GitHub's GraphQL API that batching uses."""
