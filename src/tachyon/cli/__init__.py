"""The `tachyon` command: what a person does with clusters, audits and what-if questions."""

import warnings

# Libraries look whether eventlet is there, and it warns of itself. Nothing of ours uses it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
