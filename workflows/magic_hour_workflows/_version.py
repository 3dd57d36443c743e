"""The version, defined only here: the build, the package and its User-Agent read it."""

__version__ = "0.1.0"
