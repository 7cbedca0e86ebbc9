"""Build the extension; pyproject.toml has all else."""

import os
import platform

from setuptools import Extension, setup

FOLDER = "src/hstmosaic/tasks/boxes"
# In CI, a kernel that cannot be built, or of which the compiler warns, is an error; elsewhere drizzlepac's is used.
STRICT = ["-Wall", "-Wextra", "-Werror"] if os.environ.get("CI") else []
kernel = Extension(
    "hstmosaic.tasks.boxes.square",
    [f"{FOLDER}/square.c"],
    depends=[f"{FOLDER}/square_rows.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-g0", "-ffp-contract=off", "-fno-fast-math", *STRICT],
    py_limited_api=True,
    optional=not STRICT,
)

# On other machines, compilers fuse products and sums in drizzlepac's kernel, so that its bits are others.
setup(ext_modules=[kernel] if platform.machine() == "x86_64" else [])
