"""Identity of an image, and its copy in products."""

import json

from astropy.io import fits

from hstmosaic.store.image_identity import ImageIdentity, image_identity

DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_outside_of_an_image_there_is_none(tmp_path):
    assert image_identity(tmp_path / "image.json") is None


def test_name_and_digest_are_what_the_image_says(tmp_path):
    file = tmp_path / "image.json"
    file.write_text(json.dumps({"name": "hstmosaic:0.1.0", "digest": DIGEST, "revision": "abc"}))
    assert image_identity(file) == ImageIdentity("hstmosaic:0.1.0", DIGEST)


def test_a_header_holds_the_whole_digest_in_one_card():
    header = fits.Header()
    for keyword, value, comment in ImageIdentity("registry.example.org/astro/hstmosaic:0.1.0", DIGEST).cards():
        header[keyword] = (value, comment)
    again = fits.Header.fromstring(header.tostring())
    assert "sha256:" + again["HMIMGDIG"] == DIGEST
    assert again["HMIMAGE"] == "registry.example.org/astro/hstmosaic:0.1.0"
    assert "CONTINUE" not in header.tostring()


def test_without_a_digest_no_digest_is_claimed():
    assert [keyword for keyword, _, _ in ImageIdentity("hstmosaic:0.1.0").cards()] == ["HMIMAGE"]
