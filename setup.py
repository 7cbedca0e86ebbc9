"""Build the extensions; pyproject.toml has all else."""

import os
import platform

from setuptools import Extension, setup

# In CI, an extension that cannot be built, or of which the compiler warns, is an error; elsewhere the functions that it
# replaces are used.
STRICT = ["-Wall", "-Wextra", "-Werror"] if os.environ.get("CI") else []
SOURCES = {"boxes/square": ("square_rows.h",), "exact/clip": (), "exact/filters": ()}


def extension(name: str, *depends: str) -> Extension:
    """Return an extension in ``tasks/`` that has one source file and these headers."""
    folder = "src/hstmosaic/tasks/" + name.rpartition("/")[0]
    return Extension(
        f"hstmosaic.tasks.{name}".replace("/", "."),
        [f"src/hstmosaic/tasks/{name}.c"],
        depends=[f"{folder}/{header}" for header in depends],
        extra_compile_args=["-std=gnu11", "-O3", "-g0", "-ffp-contract=off", "-fno-fast-math", *STRICT],
        py_limited_api=True,
        optional=not STRICT,
    )


EXTENSIONS = [extension(name, *headers) for name, headers in SOURCES.items()]

# On other machines, compilers fuse products and sums in the functions of drizzlepac, so that their bits are others.
setup(ext_modules=EXTENSIONS if platform.machine() == "x86_64" else [])
