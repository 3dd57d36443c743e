"""The version: the build, the package and its User-Agent read it. A test holds the emulator's to the same."""

__version__ = "0.1.0"
