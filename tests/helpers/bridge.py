"""What the driver in an image does through `slurm/hstmosaic-slurm`, and what nobody does through it."""

import os
import subprocess

from helpers.mini_slurm import ask, wait_until
from hstmosaic.run.slurm.answers import QUEUE_FORMAT, parse_queue


def bridge_call(bridge, *words, stdin=None):
    """Call a command as the driver inside does."""
    command = [bridge / "bin" / words[0], *words[1:]]
    environment = os.environ | {"HSTMOSAIC_BRIDGE": str(bridge)}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, timeout=60, check=False
    )


def check_bridge(slurm, bridge, folder):
    """What the driver needs is answered, and nothing else is done."""
    assert bridge.stat().st_mode & 0o777 == 0o700
    user, other = (
        ask("id", "-u"),
        int(ask("sbatch", "--parsable", "-J", "other", "-o", "/dev/null", "--wrap", "sleep 300")),
    )
    assert "PartitionName=batch" in bridge_call(bridge, "scontrol", "show", "partition", "-o").stdout
    assert bridge_call(bridge, "scontrol", "show", "job", "-o", other).stdout.startswith(f"JobId={other} ")
    assert "Invalid job id" in bridge_call(bridge, "scontrol", "show", "job", "-o", "999999").stderr
    name = "hstmosaic-mine-0123abcd"
    ours = int(ask("sbatch", "--parsable", "-J", name, "-o", "/dev/null", "--hold", "--wrap", "sleep 300"))
    listed = bridge_call(bridge, "squeue", "-u", user, "--name", name, "-o", QUEUE_FORMAT)
    assert list(parse_queue(listed.stdout, name)) == [str(ours)]
    script = folder / "job.sh"
    script.write_text("#!/bin/sh\ntrue\n")
    for refused in (
        ("scancel", other),
        ("scancel", ours),  # a number needs a name
        ("scancel", "-u", user),
        ("scancel", "-u", "daemon", "--name", "other"),
        ("scancel", "-u", user, "--name", "other; id"),
        ("scancel", "-u", user, "--name", "other"),
        ("scancel", "-u", user, "--name", "hstmosaic-driver"),
        ("scancel", "-u", user, "--name", "hstmosaic-0123abcd,other"),
        ("scancel", "-u", user, "--name", "other", other),
        ("scancel", "--signal=KILL", other),
        ("squeue",),
        ("squeue", "\x1b[2J"),
        ("squeue", "-u", user, "--name", name, "-o", "%all"),
        ("squeue", "-u", user, "--name", "other", "-o", QUEUE_FORMAT),
        ("scontrol", "update", f"jobid={other}", "timelimit=1"),
        ("scontrol", "show", "config"),
        ("sbatch", "--version"),
        ("sbatch", "--wrap", "id"),
        ("sbatch", "--uid=1", script),
        ("sbatch", "--parsable", "--hold", script),
        ("sbatch", script),
        ("sbatch", "--parsable", folder / "no-script"),
    ):
        answer = bridge_call(bridge, *refused)
        assert answer.returncode == 1, refused
        assert answer.stderr.startswith("hstmosaic-slurm: refused: "), refused
        assert "\x1b" not in answer.stderr
    # another command by the same way, and none
    for kind, words in ("touch", f"touch\0{folder / 'touched'}\0"), ("nothing", ""):
        call = bridge / f"call.{kind}"
        call.mkdir()
        (call / "words").write_text(words)
        with (bridge / "calls").open("r+b", buffering=0) as calls:
            calls.write(f"call.{kind}\n".encode())
        wait_until((call / "code").exists)
    assert not (folder / "touched").exists()
    # a number is cancelled only if it goes with the name
    bridge_call(bridge, "scancel", "-u", user, "--name", name, other)
    assert bridge_call(bridge, "scancel", "-u", user, "--name", name, ours).returncode == 0
    wait_until(lambda: ours not in slurm.jobs())
    assert slurm.jobs()[other] in ("RUNNING", "PENDING")
    ask("scancel", str(other))
