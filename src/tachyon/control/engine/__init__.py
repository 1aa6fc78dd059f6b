"""The decision engine: audits become action plans."""
