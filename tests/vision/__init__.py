"""Pictures, videos, detection, geometry."""
