"""Stock Watcher on Tachyon: the plug-in that a decision engine of python-watcher is started with.

The command `tachyon-watcher-decision-engine` (`launcher`) starts the unmodified engine with its
models, elements and collectors replaced (`replacement`). The graph is Tachyon's, at the URL in
`[tachyon] url`; the engine holds nothing of it. docs/stock-watcher.md is for its operators.

This package alone imports `watcher`; everything else of Tachyon works without it.
"""
