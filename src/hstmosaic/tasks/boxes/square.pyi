import numpy as np

def drop(
    pixels: np.ndarray,
    weights: np.ndarray,
    table: np.ndarray,
    science: np.ndarray,
    total: np.ndarray,
    context: np.ndarray | None,
    bit: int,
    step: float,
    first: int,
    top: int,
    left: int,
    height: int,
    width: int,
    scale: float,
    pixfrac: float,
    weight_scale: float,
    instructions: str = "auto",
    /,
) -> None:
    """Drizzle rows of a chip onto a box of a mosaic, in place.

    Parameters
    ----------
    pixels, weights : numpy.ndarray
        The rows, float32, shape (rows, columns).
    table : numpy.ndarray
        Positions of nodes in the mosaic, counted from 1, float64, shape (rows, columns, 2): x and y.
    science, total : numpy.ndarray
        Science pixels and weights of the box, float32.
    context : numpy.ndarray or None
        Plane of the context, int32.
    bit : int
        Bit of the chip in the plane, 0 to 31.
    step : float
        Pixels between nodes, a whole number; the first node is pixel 0, counted from 1.
    first : int
        Number of the first row in its chip, from 0.
    top, left : int
        Position of the box in the mosaic, from 0.
    height, width : int
        Shape of the mosaic.
    scale : float
        Ratio of the scales of mosaic and chip.
    pixfrac : float
        Edge of drops, in pixels of the chip.
    weight_scale : float
        Factor of weights.
    instructions : str
        ``plain`` to do without AVX2.

    Raises
    ------
    ValueError
        If numbers or shapes do not fit.
    """
