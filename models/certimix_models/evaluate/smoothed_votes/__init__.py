"""Votes of smoothed models: when to stop drawing them, their files, and certified accuracy."""
