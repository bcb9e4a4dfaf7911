"""Evaluation of the bundled models: measurements through the server, and the experiments of the paper."""
