"""A pool whose tasks never end."""

from concurrent.futures import Future


class IdlePool:
    """Takes the place of a `Pool` where no result is needed."""

    def submit(self, folder, estimate, priority=0.0):
        return Future()
