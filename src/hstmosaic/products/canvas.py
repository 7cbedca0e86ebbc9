"""Common parts of all pictures: colours, letters, compass, scale bar, files."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from hstmosaic.store.files import atomic_draft

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

NIGHT, EMPTY, INK, FAINT = "#0d1117", "#1c232c", "#e8edf2", "#9aa7b4"
ARCMIN, ARCSEC, TIMES = "\N{PRIME}", "\N{DOUBLE PRIME}", "\N{MULTIPLICATION SIGN}"
MARGIN = 16
TITLE_HEIGHT = 64
DPI = 100
_COMPASS = 5.5
"""Height of the compass, in letters."""
_BARS = (0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200)


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture, pixels from its lower left corner."""

    left: int
    bottom: int
    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """A figure that is laid out in pixels."""

    figure: Figure
    width: int
    height: int

    def axes(self, box: Box) -> Axes:
        """Add axes that fill a box."""
        place = (box.left / self.width, box.bottom / self.height, box.width / self.width, box.height / self.height)
        return self.figure.add_axes(place)

    def image_axes(self, box: Box) -> Axes:
        """Add axes without ticks that fill a box."""
        axes = self.axes(box)
        axes.set(xticks=[], yticks=[])
        axes.set_facecolor(EMPTY)
        axes.spines[:].set_visible(False)
        return axes

    def write(self, x: float, y: float, words: str, size: float, color: str = INK, **style: Any) -> None:
        """Write words at a place in pixels."""
        self.figure.text(x / self.width, y / self.height, words, fontsize=points(size), color=color, **style)

    def render(self) -> Image.Image:
        """Draw it."""
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def new_sheet(width: int, height: int, color: str = NIGHT) -> Sheet:
    """Return an empty sheet of a size in pixels."""
    return Sheet(Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=color), width, height)


def points(pixels: float) -> float:
    """Return the font size in points of letters whose size is given in pixels."""
    return pixels * 72 / DPI


def zoom_for(shape: tuple[int, int], least: int = 480) -> int:
    """Return how many pixels of the picture a pixel of a small image gets along each side."""
    return max(1, least // max(shape))


def letter_size(box: Box) -> float:
    """Return the size of letters over an image, pixels, so that the compass does not stick out of a narrow one."""
    return min(max(14.0, 0.026 * max(box.width, box.height)), min(box.width, box.height) / _COMPASS)


def draw_compass(axes: Axes, box: Box, north: float) -> None:
    """Draw arrows to the north and the east into the lower right corner of an image.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Of the image.
    box : Box
        Its place on the sheet.
    north : float
        Degrees from up towards the left.
    """
    size = letter_size(box)
    length = 2.6 * size
    origin = np.array([box.width - 1.5 * size, 1.5 * size])
    for name, angle in (("N", north), ("E", north + 90)):
        along = np.array([-math.sin(math.radians(angle)), math.cos(math.radians(angle))])
        tip, label = origin + length * along, origin + (length + 0.75 * size) * along
        fractions = [place / [box.width, box.height] for place in (origin, tip, label)]
        axes.annotate(
            "",
            tuple(fractions[1]),
            tuple(fractions[0]),
            xycoords="axes fraction",
            arrowprops={
                "arrowstyle": "-|>",
                "color": INK,
                "linewidth": 1.6,
                "shrinkA": 0,
                "shrinkB": 0,
                "path_effects": [withStroke(linewidth=3.5, foreground=NIGHT)],
            },
        )
        _label(axes, tuple(fractions[2]), name, size, ha="center", va="center")


def draw_scale_bar(axes: Axes, box: Box, arcsec_per_pixel: float) -> None:
    """Draw a bar of a round angular length into the lower left corner of an image."""
    size = letter_size(box)
    length = bar_length(0.3 * box.width * arcsec_per_pixel)
    start = np.array([size, 1.0 * size])
    end = start + np.array([length / arcsec_per_pixel, 0])
    xs, ys = zip(start / [box.width, box.height], end / [box.width, box.height], strict=True)
    outline = [withStroke(linewidth=5, foreground=NIGHT)]
    axes.plot(xs, ys, color=INK, linewidth=2.5, transform=axes.transAxes, path_effects=outline)
    _label(axes, (xs[0], (start[1] + 0.45 * size) / box.height), angular_text(length), size, ha="left", va="bottom")


def bar_length(most: float) -> float:
    """Return the longest round length, arcsec, that is not above `most`."""
    return max((bar for bar in _BARS if bar <= most), default=_BARS[0])


def angular_text(arcsec: float) -> str:
    """Write an angle in its usual unit."""
    if arcsec >= 3600:
        return f"{arcsec / 3600:g}°"
    return f"{arcsec / 60:g}{ARCMIN}" if arcsec >= 60 else f"{arcsec:g}{ARCSEC}"


def _label(axes: Axes, place: tuple[float, float], words: str, size: float, **style: Any) -> None:
    outline = [withStroke(linewidth=3, foreground=NIGHT)]
    axes.text(*place, words, transform=axes.transAxes, fontsize=points(size), color=INK, path_effects=outline, **style)


def save_whole(path: Path, image: Image.Image, **options: int | bool | str) -> None:
    """Write an image whole or not at all, in the format that its name ends in."""
    kind = path.suffix.removeprefix(".").upper()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    with atomic_draft(path) as draft:
        draft.write_bytes(buffer.getvalue())


def cut_out(image: Image.Image, box: Box) -> Image.Image:
    """Return a rectangle of a rendered sheet."""
    top = image.height - box.bottom - box.height
    return image.crop((box.left, top, box.left + box.width, top + box.height))
