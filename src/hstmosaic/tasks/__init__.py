"""What runs in a child process of its own; the only room that imports drizzlepac."""
