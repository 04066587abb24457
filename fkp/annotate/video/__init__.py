"""Annotating clips: reading ahead, following faces, smoothing points, drawing the overlay."""
