"""How the bundled networks are made; nothing else imports it."""
