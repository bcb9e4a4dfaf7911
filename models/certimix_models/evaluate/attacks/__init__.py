"""Attacks that search for adversarial images inside a ball."""
