"""The data set CIFAR-10, and files made from its test images."""
