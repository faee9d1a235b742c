"""Builds the kernels in C; all else is in setup.cfg."""

import os

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

KERNELS = "tfpipe.ops.native.libtfpipe_kernels"
SOURCES = "tfpipe/ops/native"
NAMES = ("ops", "resize", "resize_tf", "warp", "colors", "standardize")
HEADERS = ("tensorflow", "simd", "image", *NAMES[1:])


class BuildKernels(build_ext):
    """Builds a library that depends on TensorFlow's C interface, and on no version of Python."""

    def get_ext_filename(self, name):
        return os.path.join(*name.split(".")) + ".so"


class Wheel(bdist_wheel):
    """Tags the wheel for every Python 3, and for this platform if the kernels were built."""

    def get_tag(self):
        platform = super().get_tag()[-1]
        build = self.get_finalized_command("build_ext")
        is_built = os.path.exists(build.get_ext_fullpath(KERNELS))
        return "py3", "none", platform if is_built else "any"


setup(
    ext_modules=[
        Extension(
            KERNELS,
            sources=[f"{SOURCES}/{name}.c" for name in NAMES],
            depends=[f"{SOURCES}/{name}.h" for name in HEADERS],
            extra_compile_args=["-O3", "-std=c11", "-ffp-contract=off"],
            libraries=["m"],
            optional=True,  # without a compiler, everything runs on TensorFlow's operations
        )
    ],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel},
)
