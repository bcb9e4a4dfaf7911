"""The bundled networks in ONNX Runtime and PyTorch, their mixtures and their votes under noise."""
