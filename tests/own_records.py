"""What hstmosaic adds to headers, taken out again, so that the rest can be compared with upstream's."""

OWN_KEYWORDS = ("CHECKSUM", "DATASUM")


def without_own(header):
    """Return a copy of a header without the keywords that README.md names as ours."""
    left = header.copy()
    for keyword in OWN_KEYWORDS:
        left.remove(keyword, ignore_missing=True)
    return left
