"""Tasks, which run in child processes; the only room that imports drizzlepac."""
