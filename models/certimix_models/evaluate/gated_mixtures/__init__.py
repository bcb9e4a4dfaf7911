"""The gated mixture beside the paper's: settings, thresholds for each class, and attacks."""
