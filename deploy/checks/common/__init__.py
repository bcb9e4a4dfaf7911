"""What several checks use: their prerequisites, how they fail, and certificates."""
