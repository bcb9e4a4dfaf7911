"""Training of the bundled models, and their export to ONNX. Needs PyTorch."""
