"""A proof of a network's Lipschitz constant, and of the rounding error of its logits, from its ONNX file alone."""
