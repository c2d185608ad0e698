"""What compilers tell of recipes on accelerators that are not there; see `__main__.py`."""
