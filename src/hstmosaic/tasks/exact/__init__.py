"""Functions that give drizzlepac's results, to the last bit, in less time and bounded memory."""
