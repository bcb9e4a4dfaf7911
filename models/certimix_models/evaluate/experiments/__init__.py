"""The experiments of the paper, each with its table and its figure."""
