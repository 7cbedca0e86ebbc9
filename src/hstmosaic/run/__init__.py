"""The driver: run directory, Dask clusters, scheduling and resume; the only room that imports dask."""
