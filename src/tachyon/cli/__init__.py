"""The `tachyon` command: what a person does with clusters, audits and what-if questions."""
