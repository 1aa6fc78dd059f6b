"""Full synchronisation: what a cloud's services say, read in few calls and put into the graph.

One collector for each model (entry points `tachyon.collectors`); docs/collectors.md describes
them. Between two readings `tachyon.openstack.notifications` keeps the graph up to date.
"""
