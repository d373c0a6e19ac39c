chmod -R u+x release
chmod 600 release/settings.env
tr -d '\r' < release/bin/serve > new; cat new > release/bin/serve
set -a; . release/settings.env; set +a
export SERVE_PORT=⟦port⟧
release/bin/serve
