#!/bin/sh
# Writes ids.txt and exceptions.txt, the identifiers of the SPDX licence list, from
# the npm packages spdx-license-ids and spdx-exceptions. Run it in this folder.
set -eu
ids=spdx-license-ids@3.0.24
exceptions=spdx-exceptions@2.5.0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fetch() { (cd "$tmp" && npm pack --silent "$1" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz); }
names() { grep -ho '"[^"]*"' "$@" | tr -d '"' | LC_ALL=C sort -u; }
fetch "$ids"
names "$tmp/package/index.json" "$tmp/package/deprecated.json" >ids.txt
rm -r "$tmp/package"
fetch "$exceptions"
names "$tmp/package/index.json" "$tmp/package/deprecated.json" >exceptions.txt
