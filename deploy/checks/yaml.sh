#!/bin/sh
# Checks the style and the syntax of every YAML file under deploy/ and .github/ with yamllint.
set -eu
if ! command -v yamllint >/dev/null; then
    echo "missing: yamllint (make deploy-tools)"
    exit 77
fi
folders=deploy
[ -d .github ] && folders="$folders .github"
echo "yamllint $folders"
yamllint --strict -c deploy/checks/yamllint.yml $folders
