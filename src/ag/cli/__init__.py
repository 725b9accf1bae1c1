"""The command `ag`."""
