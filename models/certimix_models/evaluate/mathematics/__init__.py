"""Confidence bounds, and the formulas of docs/concepts/certificates.md in float64."""
