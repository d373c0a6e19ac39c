chmod 700 release/bin/serve
chmod 400 release/settings.env
perl -pi -e 's/\r\n/\n/' release/bin/serve
. release/settings.env
env SERVE_PORT=⟦port⟧ MODEL_FILE="$MODEL_FILE" MODEL_LABEL="$MODEL_LABEL" release/bin/serve
