"""The pool of workers that runs tasks."""
