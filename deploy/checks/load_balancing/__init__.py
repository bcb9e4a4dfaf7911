"""The parts of deploy/checks/proxies.py: replicas, what balances between them, the load, and what happens to a replica."""
