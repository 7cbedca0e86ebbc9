"""Make the picture of the README from the products of the demonstration: docs/make_picture.py mosaics docs/demo.png."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from astropy.visualization import AsinhStretch, ManualInterval
from astropy.wcs import WCS

mpl.use("Agg")
from matplotlib import pyplot as plt

LAYERS = ("wfc3_ir_f160w", "wfc3_uvis_f814w", "wfc3_uvis_f606w")


def main(folder: Path, target: Path) -> None:
    """Show the three filters as red, green and blue, and how deep each pixel is."""
    channels, weight = [], 0.0
    for layer in LAYERS:
        (path,) = folder.glob(f"*_{layer}_all_dr?.fits")
        with fits.open(path) as hdus:
            science, depth = hdus["SCI"].data, hdus["WHT"].data
            plane = WCS(hdus["SCI"].header)
        seen = depth > 0
        level, noise = np.median(science[seen]), 1.4826 * np.median(np.abs(science[seen] - np.median(science[seen])))
        scaled = ManualInterval(level - noise, level + 200 * noise)(science)
        channels.append(np.where(seen, AsinhStretch(0.03)(scaled), 0.0))
        weight = weight + depth / depth.max()
    plt.rcParams.update({"font.size": 9})
    figure = plt.figure(figsize=(9.6, 4.9), layout="constrained")
    for position, (image, title) in enumerate(
        [(np.dstack(channels), "F160W, F814W, F606W"), (weight, "depth, summed over the filters")], start=1
    ):
        axes = figure.add_subplot(1, 2, position, projection=plane)
        axes.imshow(image, origin="lower", cmap="magma", interpolation="antialiased")
        axes.set_title(title)
        axes.coords[0].set_axislabel("right ascension")
        axes.coords[1].set_axislabel("declination" if position == 1 else "")
        axes.coords[1].set_ticklabel_visible(position == 1)
        axes.coords[0].set_ticks(number=4)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
