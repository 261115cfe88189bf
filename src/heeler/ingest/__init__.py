"""Taking whole files into a store: read, parsed in worker threads, evaluated, committed in ticks."""
