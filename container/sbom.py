"""Add this system's Debian packages to a CycloneDX list of Python's: ``sbom.py < python.json > all.json``."""

import json
import subprocess
import sys
from urllib.parse import quote

FIELDS = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n"


def debian_components() -> list[dict[str, str]]:
    """Return the installed Debian packages, sorted by name."""
    listed = subprocess.run(["dpkg-query", "-W", "-f", FIELDS], capture_output=True, text=True, check=True)
    components = []
    for line in sorted(listed.stdout.splitlines()):
        name, version, architecture, source = line.split("\t")
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&upstream={quote(source)}"
        components.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return components


if __name__ == "__main__":
    bom = json.load(sys.stdin)
    bom["components"] += debian_components()
    json.dump(bom, sys.stdout, indent=1)
    print()
