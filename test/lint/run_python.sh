#!/bin/bash
# Runs a Python script of this directory as a Bazel test, in the runfiles of the workspace.
set -euo pipefail
exec python3 -B "$@"
