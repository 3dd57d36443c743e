"""The version of this distribution: always that of `magic-hour-workflows`, whose extra asks for exactly this one."""

__version__ = "0.1.0"
