chmod u+x release/bin/serve
chmod 600 release/settings.env
tr -d '\r' < release/bin/serve > new; cat new > release/bin/serve
set -a; . release/settings.env; set +a
release/bin/serve
