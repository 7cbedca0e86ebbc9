"""A catalogue service on the loopback that speaks the contract of drizzlepac's, and misbehaves on request."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import numpy as np
from astropy.coordinates import angular_separation

GAIA_COLUMNS = "objID,ra,dec,ra_error,dec_error,pmra,pmra_error,pmdec,pmdec_error,mag,epoch"
GSC_COLUMNS = "objID,ra,dec,raErr,decErr,rapm,rapmErr,decpm,decpmErr,mag,epoch"
TWO_MASS_COLUMNS = "objid,ra,dec,e1,e2,p1,p2,p3,p4,mag,jdate"
GAIA_EPOCH = 2016.0


@dataclass
class Stars:
    """A catalogue: positions in degrees at `epoch`, errors in mas, proper motions in mas/yr."""

    ra: np.ndarray
    dec: np.ndarray
    mag: np.ndarray
    pmra: np.ndarray
    pmdec: np.ndarray
    error: np.ndarray
    epoch: float = GAIA_EPOCH

    @classmethod
    def from_truth(cls, truth, observed, faintest=30.0, motion=0.0, error=0.1, seed=3):
        """Take stars that are where the truth says at the epoch `observed` but for errors of about so many mas each,
        which the catalogue tells, and that move by some mas/yr.
        """
        stars = truth[(truth["kind"] == "star") & (truth["magnitude"] < faintest)]
        rng = np.random.default_rng(seed)
        pmra, pmdec = rng.normal(0, motion, (2, len(stars))) if motion else np.zeros((2, len(stars)))
        errors = error * rng.uniform(0.2, 1.8, len(stars))
        east, north = (GAIA_EPOCH - observed) * np.array([pmra, pmdec]) + errors * rng.normal(0, 1, (2, len(stars)))
        dec = np.asarray(stars["dec"]) + north / 3.6e6
        ra = np.asarray(stars["ra"]) + east / 3.6e6 / np.cos(np.deg2rad(stars["dec"]))
        return cls(ra, dec, np.asarray(stars["magnitude"]), pmra, pmdec, errors)

    def rows(self, ra, dec, radius, epoch):
        """Return lines of the sources in a cone, moved to an epoch."""
        years = 0.0 if epoch is None else (epoch - self.epoch) / 3.6e6
        there = self.ra + years * self.pmra / np.cos(np.deg2rad(self.dec)), self.dec + years * self.pmdec
        distance = np.rad2deg(angular_separation(*np.deg2rad([ra, dec]), *np.deg2rad(there)))
        shown = self.epoch if epoch is None else epoch
        return [
            f"{k + 1},{there[0][k]:.10f},{there[1][k]:.10f},{self.error[k]:.4f},{self.error[k]:.4f},"
            f"{self.pmra[k]:.3f},0.1,{self.pmdec[k]:.3f},0.1,{self.mag[k]:.3f},{shown:.3f}"
            for k in np.flatnonzero(distance <= radius)
        ]


@dataclass
class Service:
    """A running service: its address, the requests, and how it behaves.

    `modes` are used up one request after the other, the last one stays. Modes: ``good``, ``500``, ``404``,
    ``rubbish``, ``empty``, ``no-epoch`` (refuses requests with an EPOCH), ``error``, ``slow`` (drips), ``hang``,
    ``cut`` (closes half-way).
    """

    stars: Stars
    modes: list = field(default_factory=lambda: ["good"])
    requests: list = field(default_factory=list)
    url: str = ""

    def mode(self):
        return self.modes.pop(0) if len(self.modes) > 1 else self.modes[0]

    def reply(self, query):
        """Return the text for a well-formed request."""
        epoch = float(query["EPOCH"][0]) if "EPOCH" in query else None
        rows = self.stars.rows(*(float(query[key][0]) for key in ("RA", "DEC", "SR")), epoch)
        return self.table(query, rows)

    def table(self, query, rows):
        """Return rows as a table of the catalogue that is asked for."""
        columns = {"GAIAeDR3": GAIA_COLUMNS, "GSC242": GSC_COLUMNS, "2MASS": TWO_MASS_COLUMNS}[query["CAT"][0]]
        return "\r\n".join([f"Objects found : {len(rows)}", columns, *rows, ""])


class _Handler(BaseHTTPRequestHandler):
    service = None

    def do_GET(self):
        service, query = self.service, parse_qs(urlsplit(self.path).query)
        service.requests.append(self.path)
        mode = service.mode()
        text = {
            "rubbish": "<html>\r\n<body>Please log in to the hotel's network</body>\r\n</html>",
            "empty": service.table(query, []),
            "error": "Error: Cannot find table 0.\r\n",
        }.get(mode)
        if text is None:
            text = "Error: no epoch\r\n" if mode == "no-epoch" and "EPOCH" in query else service.reply(query)
        if "/vo/CatalogSearch.aspx?" not in self.path or mode in ("404", "500"):
            self.send_error(500 if mode == "500" else 404)
            return
        if mode == "hang":
            time.sleep(2)
            return
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if mode == "cut":
            self.wfile.write(body[: len(body) // 2])
            return
        if mode == "slow":
            for k in range(len(body)):
                self.wfile.write(body[k : k + 1])
                self.wfile.flush()
                time.sleep(0.05)
            return
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that has given up is what some tests want."""


@contextmanager
def catalog_service(stars, *modes):
    """Run a service in a thread."""
    service = Service(stars, list(modes) or ["good"])
    handler = type("Handler", (_Handler,), {"service": service})
    with _Server(("127.0.0.1", 0), handler) as server:
        # a port may be had again, and what is kept of one service is not to be taken for the reply of another
        service.url = f"http://127.0.0.1:{server.server_address[1]}/{uuid4().hex}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
