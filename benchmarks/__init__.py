"""Paired measurements, each printed as a table."""
