"""Tachyon: resource optimisation for OpenStack clouds on one durable cluster graph."""

__version__ = "0.1.0"
