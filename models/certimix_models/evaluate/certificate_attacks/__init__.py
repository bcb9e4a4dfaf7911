"""Attacks inside the certified radius: no certificate may break."""
