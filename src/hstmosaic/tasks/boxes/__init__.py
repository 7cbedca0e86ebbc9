"""Mosaics in boxes: a layer is prepared once, its boxes are drizzled one by one, and are put together.

The files equal, to the byte, those that drizzlepac makes in one call.
"""
