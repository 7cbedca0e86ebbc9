"""The last step of a task that makes files: header records of ours, FITS checksums, and the SHA-256 of the whole.

It is done here and not where products are gathered, because the files were just written on this machine, tasks run side
by side, and nothing changes a file any more once its SHA-256 is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.io import fits

from hstmosaic.store.compressed_image import compress_images
from hstmosaic.store.files import CHECKSUM_COMMENT, MadeFile, hdu_names, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hstmosaic.store.task_specs import Card


def finish_fits(
    path: Path, cards: Iterable[Card] = (), history: Iterable[str] = (), *, compress: bool = False
) -> MadeFile:
    """Write records into the primary header of a FITS file, then the checksums of every HDU, in place.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    cards : iterable of (keyword, value, comment)
        Records to add to the primary header.
    history : iterable of str
        HISTORY records for the primary header.
    compress : bool
        Whether images are tile-compressed.

    Returns
    -------
    MadeFile
    """
    # checksums that an exposure has left in the headers would be written again with today's date in their comments
    with fits.open(path, mode="update", checksum="remove") as hdus:
        header = hdus[0].header
        for keyword, value, comment in cards:
            header[keyword] = (value, comment)
        for record in history:
            header.add_history(record)
    if compress:
        compress_images(path)
    # checksums are those of the bytes in the file, compressed or not
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        for hdu in hdus:
            hdu.add_checksum(when=CHECKSUM_COMMENT)
    with fits.open(path, disable_image_compression=True) as hdus:
        headers = [hdu.header for hdu in hdus]
    names = hdu_names(headers)
    return MadeFile(
        path.name,
        path.stat().st_size,
        sha256(path),
        datasum={name: header["DATASUM"] for name, header in zip(names, headers, strict=True)},
        checksum={name: header["CHECKSUM"] for name, header in zip(names, headers, strict=True)},
    )


def finish_file(path: Path) -> MadeFile:
    """Return what any other file can be checked by."""
    return MadeFile(path.name, path.stat().st_size, sha256(path))


def refer_npixfrac(path: Path, given: int, documented: int) -> Card:
    """Return NPIXFRAC as the documented limits give it; drizzlepac divides by the area of the limits it was given.

    Parameters
    ----------
    path : pathlib.Path
        The mosaic.
    given, documented : int
        Pixels in the limits that drizzlepac was given, and in those of whole sky cells.
    """
    return documented_fraction(fits.getheader(path), given, documented)


def documented_fraction(header: fits.Header, given: int, documented: int) -> Card:
    """Return NPIXFRAC as `refer_npixfrac` does, from the header of a mosaic."""
    covered = round(header["NPIXFRAC"] * given)
    return "NPIXFRAC", covered / documented, header.comments["NPIXFRAC"]
