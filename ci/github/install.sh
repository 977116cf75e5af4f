#!/usr/bin/env bash
# The first step of action.yml: podgate, in an environment of its own.
#
#   INSTALL_PYTHON    the Python to make it with
#   INSTALL_VERSION   a version from the package index; empty: what is beside this file
#
# Output: `program`, the path of podgate.
set -euo pipefail

if ! "$INSTALL_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "::error title=podgate::podgate needs Python 3.11 or later; actions/setup-python brings one"
  exit 2
fi
what=$GITHUB_ACTION_PATH
[ -z "$INSTALL_VERSION" ] || what=podgate==$INSTALL_VERSION

environment=$RUNNER_TEMP/podgate
"$INSTALL_PYTHON" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$what"
"$environment/bin/podgate" --version
echo "program=$environment/bin/podgate" >>"$GITHUB_OUTPUT"
