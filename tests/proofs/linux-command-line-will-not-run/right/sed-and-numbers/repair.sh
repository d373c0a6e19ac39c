cd release
chmod 755 bin/serve
chmod 600 settings.env
sed -i.bak 's/\r$//' bin/serve
. ./settings.env
export MODEL_FILE MODEL_LABEL
SERVE_PORT=⟦port⟧ ./bin/serve
