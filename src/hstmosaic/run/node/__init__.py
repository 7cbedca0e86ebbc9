"""One task on one node."""
