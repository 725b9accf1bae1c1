"""Programs that are compiled and measured: each in one module by its theme."""

from . import calculation, data, losses, networks

PROGRAMS = [*losses.PROGRAMS, *networks.PROGRAMS, *data.PROGRAMS, *calculation.PROGRAMS]
