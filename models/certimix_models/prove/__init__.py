"""Proves a network's Lipschitz constant, and the rounding error of its logits, from its ONNX file
alone.
"""
