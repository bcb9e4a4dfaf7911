"""Parts of the check `prometheus.py`, and of the picture of the dashboard."""
