"""The probe of a node, as its file hands it to the doctor."""

import json
import socket

from hstmosaic.run.probe import TOKEN_FILE, Probe, probe, versions


def test_a_probe_finds_the_doctor_and_survives_its_file(tmp_path):
    (tmp_path / TOKEN_FILE).write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as doctor:
        found = probe(tmp_path, "127.0.0.1", doctor.getsockname()[1], str(tmp_path / "missing"))
    assert (found.token, found.network, found.scratch_writable) == ("secret", "", True)
    assert found.versions == versions()
    assert Probe.from_json(found.to_json()) == found


def test_a_probe_of_another_version_may_have_more(tmp_path):
    (tmp_path / TOKEN_FILE).write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = probe(tmp_path, "127.0.0.1", port)
    assert "refused" in found.network
    assert Probe.from_json(json.dumps(json.loads(found.to_json()) | {"temperature": 20})) == found
