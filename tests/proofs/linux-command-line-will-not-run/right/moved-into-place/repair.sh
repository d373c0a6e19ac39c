#!/usr/bin/env bash
set -euo pipefail
umask 077
tr -d '\015' < release/bin/serve > release/bin/serve.fixed
mv release/bin/serve.fixed release/bin/serve
chmod u=rwx,go=rx release/bin/serve
chmod go-rwx release/settings.env
(
  set -o allexport
  source release/settings.env
  SERVE_PORT=⟦port⟧
  exec bash release/bin/serve
)
