"""Making the bundled networks."""
