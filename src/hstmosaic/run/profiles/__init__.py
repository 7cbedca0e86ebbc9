"""Profiles of clusters."""
