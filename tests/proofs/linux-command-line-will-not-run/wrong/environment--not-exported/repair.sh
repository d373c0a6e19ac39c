chmod u+x release/bin/serve
chmod 600 release/settings.env
tr -d '\r' < release/bin/serve > new; cat new > release/bin/serve
. release/settings.env
export SERVE_PORT=⟦port⟧
release/bin/serve
