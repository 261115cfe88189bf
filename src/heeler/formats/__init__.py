"""Turning lines into columns, and columns back into lines."""
