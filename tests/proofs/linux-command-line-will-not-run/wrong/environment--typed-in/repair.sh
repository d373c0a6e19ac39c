chmod u+x release/bin/serve
chmod 600 release/settings.env
tr -d '\r' < release/bin/serve > new; cat new > release/bin/serve
export MODEL_FILE=models/model-⟦seed⟧.json MODEL_LABEL="candidate ⟦seed⟧" SERVE_PORT=⟦port⟧
release/bin/serve
