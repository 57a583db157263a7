#!/bin/sh
# Make .venv hold exactly what requirements/NAME.txt pins: `sh config/local/install.sh NAME`.
# Without a change it costs a file comparison; an install that was cut short starts over.
set -eu

name=$1
lock=requirements/$name.txt
marker=.venv/.installing # holds the process number while pip is at work

if [ -x .venv/bin/python ] && [ ! -e "$marker" ] && cmp -s "$lock" ".venv/.installed-$name"; then
    exit 0
fi

if [ -e "$marker" ] && kill -0 "$(cat "$marker")" 2>/dev/null; then
    echo "outdial: another install (process $(cat "$marker")) is at work in .venv, wait for it" >&2
    exit 1
fi

# The newest that is there, recent enough and complete: a pyenv shim can exist and still fail, and
# Debian has Pythons without ensurepip, with which `venv` fails half-way.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3
    fi
    for candidate in "$@"; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "outdial: none of [$*] is a Python 3.11 or newer with its venv module" \
        "(Debian: apt-get install python3-venv); name one with make PYTHON=/path/to/python" >&2
    exit 1
}

# In the background, so that a signal to this script ends pip as well.
run() {
    "$@" &
    child=$!
    trap 'kill "$child" 2>/dev/null; wait "$child"; exit 130' INT TERM HUP
    wait "$child"
    trap - INT TERM HUP
}

if [ -e "$marker" ] || ! .venv/bin/python -c \
    'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    python=$(find_python)
    echo "outdial: creating .venv with $("$python" --version)"
    run "$python" -m venv --clear --without-pip .venv
    echo $$ >"$marker"
    run .venv/bin/python -m ensurepip --default-pip >/dev/null
fi

echo "outdial: installing $lock into .venv; the first time takes a minute or two"
echo $$ >"$marker"
run .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes \
    --requirement "$lock"
cp "$lock" ".venv/.installed-$name"
if [ "$name" = dev ]; then
    cp requirements/local.txt .venv/.installed-local # dev.txt holds all of it
fi
rm "$marker"
