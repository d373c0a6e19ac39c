chmod u+x release/bin/serve
chmod 600 release/settings.env
set -a; . release/settings.env; set +a
export SERVE_PORT=⟦port⟧
release/bin/serve
