"""Who is who: the faces of many photos or clips of one occasion, grouped by person."""
