"""The process that collects: sources run side by side into one store, and commands talk to it over a socket."""
