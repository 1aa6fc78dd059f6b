"""The infra-optim API: Watcher's REST contract, and what Tachyon adds from 1.8 on."""
