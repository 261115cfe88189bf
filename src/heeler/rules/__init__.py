"""Conditions over what arrives, evaluated by event time. Nothing here asks a clock or does I/O."""
