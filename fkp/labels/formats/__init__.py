"""Label formats: how each is recognised, read and written, one in a file."""
