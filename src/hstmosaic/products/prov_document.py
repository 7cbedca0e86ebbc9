"""W3C PROV document of a run: files, tasks and software."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prov.model import PROV_LABEL, PROV_LOCATION, PROV_TYPE, ProvDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

VOCABULARY = "urn:hstmosaic:vocabulary#"
RUN = "urn:hstmosaic:run:"
SOFTWARE = "urn:hstmosaic:software:"


class RunDocument:
    """The provenance of one run.

    Parameters
    ----------
    identifier : str
        Of the run among all runs; names of files and tasks belong to it.
    """

    def __init__(self, identifier: str) -> None:
        self._document = ProvDocument()
        self._document.add_namespace("hm", VOCABULARY)
        self._document.add_namespace("run", f"{RUN}{identifier}:")
        self._document.add_namespace("software", SOFTWARE)
        self._agents: set[str] = set()
        self._tasks: set[str] = set()

    def to_json(self) -> str:
        """Return the document as PROV-JSON."""
        return str(self._document.serialize(indent=1)) + "\n"

    def file(self, name: str, kind: str, path: str, facts: Mapping[str, Any]) -> None:
        """Add a file; facts that are None or empty are omitted."""
        self._document.entity(_id(name), self._attributes(name, kind, {PROV_LOCATION: path}, facts))

    def task(self, name: str, kind: str, started: float, ended: float, facts: Mapping[str, Any]) -> None:
        """Add a task with its start and end, seconds since 1970."""
        times = [datetime.fromtimestamp(round(when, 3), UTC) for when in (started, ended)]
        self._tasks.add(name)
        self._document.activity(_id(name), times[0], times[1], self._attributes(name, kind, {}, facts))

    def software(self, task: str, versions: Mapping[str, str], image: Mapping[str, str] | None) -> None:
        """Associate a task with its software and container image."""
        agents = {f"{name}-{number}": {"hm:name": name, "hm:version": number} for name, number in versions.items()}
        if image is not None:
            agents[f"image-{image['name']}"] = {"hm:name": image["name"], "hm:digest": image["digest"]}
        for agent, facts in agents.items():
            if agent not in self._agents:
                self._agents.add(agent)
                attributes = self._attributes(facts["hm:name"], "prov:SoftwareAgent", {}, facts)
                self._document.agent(_id(agent, "software"), attributes)
            self._document.wasAssociatedWith(_id(task), _id(agent, "software"))

    def used(self, task: str, file: str) -> None:
        """Record that a task read a file."""
        self._document.used(_id(task), _id(file))

    def made(self, file: str, task: str) -> None:
        """Record that a task made a file, if the task is in the document (it may be of an earlier start)."""
        if task in self._tasks:
            self._document.wasGeneratedBy(_id(file), _id(task))

    def derived(self, file: str, source: str) -> None:
        """Record that a file was made from another."""
        self._document.wasDerivedFrom(_id(file), _id(source))

    def followed(self, task: str, earlier: str) -> None:
        """Record that a task used results of another."""
        self._document.wasInformedBy(_id(task), _id(earlier))

    def _attributes(self, label: str, kind: str, fixed: Mapping[Any, Any], facts: Mapping[str, Any]) -> dict[Any, Any]:
        present = {name: value for name, value in facts.items() if value not in (None, "")}
        return {PROV_TYPE: self._document.valid_qualified_name(kind), PROV_LABEL: label, **fixed, **present}


def _id(name: str, namespace: str = "run") -> str:
    # not every character of a file name can be in a qualified name
    return f"{namespace}:{quote(name, safe='')}"


def records(text: str, kind: str) -> list[dict[str, Any]]:
    """Return the attributes of the entities and activities of a kind in a PROV-JSON text.

    Parameters
    ----------
    text : str
        Such as `RunDocument.to_json` gives.
    kind : str
        Such as ``hm:Run``.

    Returns
    -------
    list of dict
        Values by names like ``hm:sha256``; the path is under ``prov:location``.

    Raises
    ------
    ValueError
        If the text is not PROV-JSON.
    """
    try:
        document = ProvDocument.deserialize(content=text)
    except Exception as error:  # of many kinds, and prov documents none
        raise ValueError(f"it is not PROV-JSON ({error})") from error
    found = []
    for record in document.records:
        values = {str(name): value for name, value in record.attributes}
        if str(values.get("prov:type")) == kind:
            found.append(values)
    return found
