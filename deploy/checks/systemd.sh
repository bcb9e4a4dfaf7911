#!/bin/sh
# Checks the systemd unit: its syntax, and the exposure that `systemd-analyze security` gives it.
set -eu
if ! command -v systemd-analyze >/dev/null; then
    echo "missing: systemd-analyze (apt-get install systemd)"
    exit 77
fi
# In tenths. The rest is the network, which a server needs.
greatest_exposure=12
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The program is not installed on the machine that checks the unit.
sed 's#^ExecStart=/usr/local/bin/certimix #ExecStart=/bin/true #' deploy/systemd/certimix.service > "$folder/certimix.service"
messages=$(systemd-analyze verify "$folder/certimix.service" 2>&1) || { echo "$messages"; exit 1; }
# verify exits with 0 for keys that it does not know, and says so.
if echo "$messages" | grep "certimix.service"; then exit 1; fi
systemd-analyze security --offline=true --threshold=$greatest_exposure "$folder/certimix.service" | tail -1
systemd-analyze security --offline=true --threshold=$greatest_exposure "$folder/certimix.service" >/dev/null
