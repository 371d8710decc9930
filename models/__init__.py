"""Torch only, one architecture a file."""
