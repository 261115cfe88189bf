"""The full screen of `heeler watch`."""
