#!/usr/bin/env bash
exec python3 - "$@" <<'END'
import argparse, sys

parser = argparse.ArgumentParser(prog="gate.sh")
parser.add_argument("-m", default="⟦metric⟧")
parser.add_argument("file")
parser.add_argument("limit", type=float)
options = parser.parse_args()
try:
    values = dict(line.split() for line in open(options.file))
    value = float(values[options.m])
except (OSError, KeyError) as error:
    print(f"gate.sh: {error!r}", file=sys.stderr)
    sys.exit(2)
sys.exit(value > options.limit)
END
