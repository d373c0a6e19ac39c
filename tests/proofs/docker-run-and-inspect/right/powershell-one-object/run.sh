docker run -dit `
  -e MODEL_PATH=/models/model.json -e LOG=1 `
  -v ⟦delivery-time⟧-models:/models:ro `
  --memory 256m -p127.0.0.1:⟦outside-port⟧:⟦port⟧ --name ⟦delivery-time⟧-⟦color⟧ ⟦delivery-time⟧
