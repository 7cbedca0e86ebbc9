"""Progress of a run, read from its files; needs neither Dask nor a driver."""
