"""Checks of the Kubernetes manifests, one file for each kind of check. `kubernetes.py` beside this folder runs them."""
