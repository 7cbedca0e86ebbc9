"""Write the JSON Schemas of files for programs, from the classes that write them: docs/make_schemas.py [FOLDER]."""

import ast
import inspect
import itertools
import json
import sys
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from hstmosaic.plan.boxes import Division
from hstmosaic.plan.checks import Exclusion
from hstmosaic.plan.estimates import Estimate, Learned
from hstmosaic.plan.exposures import Exposure
from hstmosaic.plan.layers import Layer
from hstmosaic.products.manifest import SCHEMA, Manifest
from hstmosaic.store.event_payloads import payload_shapes
from hstmosaic.store.payload import EventKind, Payload

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", Path: "string"}
NUMBER, TEXT, TEXTS = {"type": "number"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def array(item: Mapping[str, Any], length: int | None = None) -> dict[str, Any]:
    """Return the schema of an array of equal items."""
    return {"type": "array", "items": item} | ({} if length is None else {"minItems": length, "maxItems": length})


def schema_of(hint: Any) -> dict[str, Any]:
    """Return the schema of values of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        found: dict[str, Any] = {"type": PLAIN[hint]}
    elif origin in (typing.Union, types.UnionType):
        found = {"anyOf": [schema_of(one) for one in arguments]}
    elif origin is tuple and arguments[-1] is not Ellipsis:
        found = {"type": "array", "prefixItems": [schema_of(one) for one in arguments], "items": False}
    elif origin in (tuple, list):
        found = array(schema_of(arguments[0]))
    elif origin in (dict, Mapping):
        found = {"type": "object", "additionalProperties": schema_of(arguments[1])}
    elif is_dataclass(hint):
        found = object_of(hint)
    else:
        found = {}
    return found


def object_of(shape: Any, changed: Mapping[str, Any] | None = None, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of the object that a dataclass becomes in JSON."""
    hints, texts, changed = _hints(shape), _docstrings(shape), changed or {}
    properties = {}
    for item in fields(shape):
        if item.name not in without:
            properties[item.name] = dict(changed.get(item.name) or schema_of(hints.get(item.name)))
            if item.name in texts:
                properties[item.name]["description"] = texts[item.name]
    return {
        "type": "object",
        "description": inspect.cleandoc(shape.__doc__ or ""),
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _hints(shape: Any) -> dict[str, Any]:
    """Return the types of the fields; names that are imported for checks of types only are looked up here."""
    return typing.get_type_hints(shape, localns={"Mapping": Mapping, "Any": Any, "Chip": Any, "Value": Any})


def _docstrings(shape: Any) -> dict[str, str]:
    """Return the strings below the fields of a class and of its bases, by field."""
    found: dict[str, str] = {}
    for one in reversed(shape.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        assert isinstance(body, ast.ClassDef)
        for before, after in itertools.pairwise(body.body):
            match before, after:
                case ast.AnnAssign(target=name), ast.Expr(value=ast.Constant(value=words)):
                    found[ast.unparse(name)] = inspect.cleandoc(str(words))
    return found


def manifest_schema() -> dict[str, Any]:
    """Return the schema of ``<prefix>_manifest.json``."""
    body = object_of(Manifest, {"schema": {"const": SCHEMA}})
    body["properties"]["products"]["items"]["properties"]["sha256"] |= SHA256
    return document("manifest", "Manifest of a run", body)


def plan_schema() -> dict[str, Any]:
    """Return the schema of ``plan.json``, which ``hstmosaic plan --json`` prints as well."""
    limits = array({"type": "integer"}, 4)
    product = {
        "type": "object",
        "properties": {
            "name": TEXT,
            "trailer": TEXT,
            "pixel_scale": {"type": "number", "exclusiveMinimum": 0, "description": "Arcsec."},
            "shape": array({"type": "integer"}, 2) | {"description": "Height and width, pixels."},
            "crpix": array(NUMBER, 2),
            "crval": array(NUMBER, 2) | {"description": "Degrees."},
            "documented_size": {"type": "integer"},
            "cd": array(NUMBER, 4) | {"description": "CD matrix of a grid of the user, degrees per pixel."},
            "projection": {"type": "string", "description": "Of a grid of the user that is not TAN."},
        },
        "required": ["name", "trailer", "pixel_scale", "shape", "crpix", "crval", "documented_size"],
        "additionalProperties": False,
    }
    layer = object_of(Layer, {"products": array(product), "parameters": array({"type": "array"})})
    excluded = {
        "type": "object",
        "properties": {"exposure": TEXT, "reason": TEXT, "next_step": TEXT},
        "required": ["exposure", "reason", "next_step"],
        "additionalProperties": False,
        "description": inspect.cleandoc(Exclusion.__doc__ or ""),
    }
    properties = {
        "source": TEXT,
        "prefix": TEXT,
        "projection_cell": TEXT,
        "projection_center": array(NUMBER, 2) | {"description": "Right ascension and declination, degrees."},
        "cell_distances": {"type": "object", "additionalProperties": NUMBER},
        "sky_cells": TEXTS,
        "corner_sky_cell": TEXT,
        "limits": limits | {"description": "xmin, xmax, ymin, ymax of whole sky cells, pixels of the projection cell."},
        "tight_limits": limits | {"description": "The same of the part with data."},
        "frame": TEXTS,
        "exposures": array(object_of(Exposure, without=("chips",))),
        "layers": array(layer),
        "excluded": array(excluded),
        "notes": TEXTS,
        "versions": {"type": "object", "additionalProperties": TEXT},
        "estimates": {"type": "object", "additionalProperties": object_of(Estimate)},
        "learned": object_of(Learned),
        "division": object_of(Division),
        "request": {
            "type": "object",
            "description": "Options that determine pixels and files; empty for the documented ones.",
            "properties": {
                "parameters": {"type": "object"},
                "sky": {"enum": ["match", "localmin", "none"]},
                "compress": {"const": True},
                "grid": {"type": "object"},
                "scale": NUMBER,
                "bounds": {"type": "object"},
                "margin": {"type": "integer", "description": "Pixels around the exposures."},
                "tiles": TEXT,
                "error": {"const": True},
                "context": {"const": True},
            },
            "additionalProperties": False,
        },
    }
    body = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return document("plan", "Plan of a run", body)


def events_schema() -> dict[str, Any]:
    """Return the schema of a line of ``logs/run.jsonl``, which ``hstmosaic run --json`` prints as well."""
    shapes = [_event(kind, shape) for kind, found in sorted(payload_shapes().items()) for shape in found]
    body = {
        "type": "object",
        "properties": {
            "time": NUMBER | {"description": "Seconds since 1970."},
            "kind": {"enum": [kind.value for kind in EventKind]},
            "level": {"enum": ["debug", "info", "warning", "error"]},
            "message": TEXT,
        },
        "required": ["time", "kind", "level", "message"],
        "anyOf": shapes,
    }
    return document("events", "Event of a run", body)


def _event(kind: str, shape: type[Payload]) -> dict[str, Any]:
    found: dict[str, Any] = object_of(shape)
    found["properties"] = {"time": {}, "kind": {"const": str(kind)}, "level": {}, "message": {}} | found["properties"]
    found["required"] = [item.name for item in fields(shape) if _is_required(item)]
    return found


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def provenance_schema() -> dict[str, Any]:
    """Return the schema of what ``<prefix>_provenance.json`` adds to W3C PROV-JSON: the names with ``hm:``."""
    count = _literal("^[0-9]+$", "xsd:int", "xsd:long", "xsd:integer")
    number = _literal("", "xsd:double", "xsd:float", "xsd:int")
    file = {"prov:label": TEXT, "prov:location": TEXT, "hm:size": count, "hm:sha256": SHA256}
    task = {
        "prov:startTime": TEXT,
        "prov:endTime": TEXT,
        "hm:ok": {"type": "boolean"},
        "hm:error": TEXT,
        "hm:host": TEXT,
        "hm:slurmJob": TEXT,
        "hm:cpuSeconds": number,
        "hm:peakMemoryMB": number,
        "hm:result": TEXT,
    }
    entities = {
        "hm:Plan": file,
        "hm:Catalogue": file,
        "hm:Exposure": file | {"hm:order": count, "hm:layer": TEXT, "hm:leftOut": TEXT, "hm:repair": TEXT},
        "hm:Product": file | {"hm:kind": TEXT, "hm:layer": TEXT, "hm:parameters": TEXT, "hm:moved": TEXT},
    }
    run = {
        "prov:startTime": TEXT,
        "prov:endTime": TEXT,
        "hm:command": TEXT,
        "hm:options": TEXT | {"contentMediaType": "application/json"},
        "hm:prefix": TEXT,
        "hm:exitCode": count,
        "hm:host": TEXT,
        "hm:slurmJob": TEXT,
        "hm:image": TEXT,
        "hm:versions": TEXT | {"contentMediaType": "application/json"},
    }
    activities = {"hm:Run": run} | dict.fromkeys(
        ("hm:Screening", "hm:SourceFinding", "hm:Alignment", "hm:Drizzling"), task
    )
    agents = {"prov:SoftwareAgent": {"hm:name": TEXT, "hm:version": TEXT, "hm:digest": TEXT}}
    kinds = {"entity": entities, "activity": activities, "agent": agents}
    properties: dict[str, Any] = {
        name: {"type": "object", "additionalProperties": {"anyOf": list(_records(shapes))}}
        for name, shapes in kinds.items()
    }
    properties["prefix"] = {"type": "object", "properties": {"hm": {"const": "urn:hstmosaic:vocabulary#"}}}
    body = {"type": "object", "properties": properties, "required": ["prefix", "entity", "activity", "agent"]}
    return document("provenance", "Provenance of a run: PROV-JSON with names of hstmosaic", body)


def _literal(pattern: str, *names: str) -> dict[str, Any]:
    """Return the schema of a number in PROV-JSON."""
    properties = {"$": {"type": "string", "pattern": pattern}, "type": {"enum": list(names)}}
    return {"type": "object", "properties": properties, "required": ["$", "type"]}


def _records(shapes: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for kind, properties in shapes.items():
        name = {"type": "object", "properties": {"$": {"const": kind}}, "required": ["$"]}
        known = {"prov:type": name, "prov:label": TEXT} | dict(properties)
        yield {"type": "object", "properties": known, "required": ["prov:type"], "additionalProperties": False}


def document(name: str, title: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole schema."""
    return {"$schema": DRAFT, "$id": f"urn:hstmosaic:schema:{name}:{SCHEMA}", "title": title, **body}


SCHEMAS = {"plan": plan_schema, "manifest": manifest_schema, "events": events_schema, "provenance": provenance_schema}


def schema_text(name: str) -> str:
    """Return the text of a schema by its name."""
    return json.dumps(SCHEMAS[name](), indent=1) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("schemas")
    folder.mkdir(exist_ok=True)
    for name in SCHEMAS:
        (folder / f"{name}.schema.json").write_text(schema_text(name), "utf-8")
