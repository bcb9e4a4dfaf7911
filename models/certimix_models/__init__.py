"""Trains, proves and evaluates the models that Certimix serves.

`python3 -m certimix_models --help` lists the commands. `models/README.md` describes the package.
"""
