#!/bin/sh
# check_in_fresh_dir.sh MODEL: runs check.sh on a model in a new temporary directory, since spin writes to where it is.
set -eu
check=$(dirname "$(realpath "$0")")/check.sh
model=$(realpath "$1")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
sh "$check" "$model"
