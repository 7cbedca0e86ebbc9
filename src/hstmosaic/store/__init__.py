"""Files of a run: where they lie, what they are called, and how they are read and written."""
