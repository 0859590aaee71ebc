"""Runs the Python text that it is given, so that a test can look around in its process."""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])
