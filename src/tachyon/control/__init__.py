"""The control plane: Watcher's services on the cluster graph."""

from __future__ import annotations

from oslo_service.backend import BackendType, register_backend_default_hook

# oslo.messaging asks oslo.service for its backend when it is imported, which is eventlet unless
# somebody says otherwise first; all of Tachyon works with threads.
register_backend_default_hook(lambda: BackendType.THREADING)
