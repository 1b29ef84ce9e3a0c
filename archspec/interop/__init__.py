"""In and out: models that exist become specs, and specs become files that others open."""
