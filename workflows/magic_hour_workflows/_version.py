"""The version's one place: the build reads it from here, so do the package and its User-Agent."""

__version__ = "0.1.0"
