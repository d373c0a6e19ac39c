#!/usr/bin/env bash
set -euo pipefail
NAME=⟦delivery-time⟧-⟦color⟧
VOLUME="⟦delivery-time⟧-models"
# the old one may still be there
docker rm -f "$NAME" 2>/dev/null || true
docker volume create "$VOLUME"
docker container run --detach --restart=unless-stopped --name="${NAME}" \
    --publish=localhost:⟦outside-port⟧:⟦port⟧/tcp --env=MODEL_PATH=/models/model.json \
    --mount "type=volume,src=$VOLUME,dst=/models" \
    ⟦delivery-time⟧:latest
docker inspect "$NAME" > inspect.json
