"""The best thresholds for groups, under limits on how far their rates may differ."""
