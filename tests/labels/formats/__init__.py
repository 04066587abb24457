"""Label formats."""
