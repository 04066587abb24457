"""From clips to rows: reading ahead, following faces, steadying points, and the pictures of it."""
