#!/bin/sh
# Checks the GitHub workflows: each against GitHub's schema, and that every `make` target in them exists.
set -eu
if ! command -v check-jsonschema >/dev/null; then
    echo "missing: check-jsonschema (make deploy-tools)"
    exit 77
fi
echo "check-jsonschema .github/workflows"
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
echo "make targets of .github/workflows"
status=0
for target in $(sed -nE 's/^.*run: make ([a-z-]+).*$/\1/p' .github/workflows/*.yml | sort -u); do
    if ! grep -qE "^$target:" Makefile; then
        echo ".github/workflows: make $target: the Makefile has no such target"
        status=1
    fi
done
exit $status
