chmod u+x release/bin/serve
tr -d '\r' < release/bin/serve > new; cat new > release/bin/serve
set -a; . release/settings.env; set +a
export SERVE_PORT=⟦port⟧
release/bin/serve
