"""What the user came for: gathering, verifying and listing finished products."""
