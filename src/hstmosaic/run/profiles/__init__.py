"""Profiles: where tasks run."""
