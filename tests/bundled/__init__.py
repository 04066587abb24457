"""How the bundled networks are made."""
