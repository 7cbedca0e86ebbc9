"""Modules that tests and benchmarks share; fixtures are in the ``conftest.py`` files."""
