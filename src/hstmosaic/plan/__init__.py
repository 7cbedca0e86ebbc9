"""Everything that is decided before the first task: pure, from headers alone."""
