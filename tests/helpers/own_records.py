"""What hstmosaic adds to headers, taken out again, so that the rest can be compared with upstream's."""

from hstmosaic.store.image_identity import ImageIdentity

IMAGE_KEYWORDS = tuple(keyword for keyword, _, _ in ImageIdentity("name", "sha256:0").cards())
OWN_KEYWORDS = ("CHECKSUM", "DATASUM", "HMVERS", "HMPLAN", *IMAGE_KEYWORDS)


def without_own(header):
    """Return a copy of a header without the keywords and HISTORY that README.md names as ours."""
    left = header.copy()
    for keyword in OWN_KEYWORDS:
        left.remove(keyword, ignore_missing=True)
    records = list(left.get("HISTORY", []))
    own = [i for i, record in enumerate(records) if record.startswith("hstmosaic ")]
    if own:
        left.remove("HISTORY", remove_all=True)
        for record in records[: own[0]]:
            left.add_history(record)
    return left
