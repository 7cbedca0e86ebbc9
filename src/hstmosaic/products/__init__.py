"""Gathering, verification and description of finished products."""
