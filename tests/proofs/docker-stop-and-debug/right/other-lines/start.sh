#!/bin/sh
set -eu
exec python -m uvicorn app:app --host "0.0.0.0" --port "⟦port⟧"
