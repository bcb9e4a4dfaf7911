"""The messages of `certimix.v1`, generated from `proto/` by `scripts/generate_stubs.py`."""
