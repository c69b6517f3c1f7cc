"""A module that cannot be imported, and says why."""
import os

raise RuntimeError("no service for %s, %s" % (os.environ["TOKEN"], os.environ["MARK"]))
