"""Keys of a run, which its user alone can read."""

import contextlib
import os
import ssl
import stat

import pytest

from hstmosaic.run.slurm.tls import read_keys, run_keys


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_keys_are_private_whatever_the_umask(umask, tmp_path):
    run_keys(tmp_path / "tls")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == {"certificate.pem": 0o600, "key.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_a_folder_of_an_earlier_start_is_replaced(tmp_path):
    run_keys(tmp_path / "tls")
    (tmp_path / "tls").chmod(0o755)
    earlier = (tmp_path / "tls/key.pem").read_text("utf-8")
    run_keys(tmp_path / "tls")
    assert (tmp_path / "tls/key.pem").read_text("utf-8") != earlier
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def handshake(server, client):
    """Connect two ends in memory, each with the keys of its role."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.get_listen_args("scheduler")["ssl_context"].wrap_bio(to_server, to_client, server_side=True),
        client.get_connection_args("worker")["ssl_context"].wrap_bio(to_client, to_server),
    ]
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return [end.version() for end in ends]


def test_only_workers_with_the_keys_of_the_run_are_accepted(tmp_path):
    run_keys(tmp_path / "ours")
    ours, others = read_keys(tmp_path / "ours"), run_keys(tmp_path / "others")
    assert None not in handshake(ours, ours)
    with pytest.raises(ssl.SSLError):
        handshake(ours, others)
