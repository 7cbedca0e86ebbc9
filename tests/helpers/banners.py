"""Slurm's commands as sites wrap them: banners on both streams, before and after the answer."""

import os
import shutil

COMMANDS = ("sbatch", "squeue", "scontrol", "sinfo", "scancel", "sacct")
WRAPPER = r"""#!/bin/sh
echo "{command} $*" >> {calls}
banner() {{
    printf '\033[1;33mWelcome | maintenance | on 2026-12-01\033[0m\r\n'
    echo {number}
    echo "{number}|RUNNING|None|4:57"
    echo "JobId={number} JobName=other UserId=root(0) JobState=FAILED ExitCode=0:9"
    echo '{{"jobs": [{{"job_id": {number}}}], "errors": []}}'
    echo "PartitionName=batch is slow; NodeName=node1 is down"
    printf 'caf\351\n'
}}
banner
echo "file systems are temporarily slow | connection refused" >&2
{path} "$@"
code=$?
banner
echo "submitted by {command} 12 times" >&2
exit $code
"""


def wrapped_commands(folder, number):
    """Return the variable PATH with which wrappers come first, whose banners have the number of a job of others."""
    folder.mkdir()
    for command in COMMANDS:
        words = {"command": command, "path": shutil.which(command), "number": number, "calls": folder / "calls"}
        script = folder / command
        script.write_text(WRAPPER.format(**words))
        script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
