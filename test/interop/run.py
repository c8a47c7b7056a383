#!/usr/bin/env python3
"""Interop tests: xmbl and the programs of others, as real processes.

Usage: run.py [NAME...] [-l] [--long] [--seed N] [--keep] [-j N]
XMBL_KUBO is the ipfs program, XMBL_HELIA the folder with helia's node_modules;
`tools/peers.sh` prints both.  Tests of a peer without its variable are left
out.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools/lib"))

import xmbltest  # noqa: E402  pylint: disable=wrong-import-position

BUDGET_S = 1100

if __name__ == "__main__":
    xmbltest.load(HERE)
    sys.exit(xmbltest.main(__doc__.split("\n", maxsplit=1)[0], BUDGET_S))
