"""Confidence bounds, and the formulas of docs/certificates.md in float64."""
