"""A study as one zip: packed here, read there as a stranger's, and checked."""
