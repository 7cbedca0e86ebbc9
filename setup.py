"""Build the extensions; pyproject.toml has all else."""

import os
import platform

from setuptools import Extension, setup

TASKS = "src/hstmosaic/tasks"
# In CI, an extension that cannot be built, or of which the compiler warns, is an error; elsewhere the functions of
# drizzlepac and scipy are used.
STRICT = ["-Wall", "-Wextra", "-Werror"] if os.environ.get("CI") else []


def extension(name, *headers):
    """Return an extension made of one C file of the same name."""
    folder = f"{TASKS}/{name.rpartition('/')[0]}"
    return Extension(
        f"hstmosaic.tasks.{name.replace('/', '.')}",
        [f"{TASKS}/{name}.c"],
        depends=[f"{folder}/{header}" for header in headers],
        extra_compile_args=["-std=gnu11", "-O3", "-g0", "-ffp-contract=off", "-fno-fast-math", *STRICT],
        py_limited_api=True,
        optional=not STRICT,
    )


# On other machines, compilers fuse products and sums in the original functions, so that their bits are others.
EXTENSIONS = [extension("boxes/square", "square_rows.h"), extension("exact/filters")]
setup(ext_modules=EXTENSIONS if platform.machine() == "x86_64" else [])
