docker run -d --name ⟦delivery-time⟧-⟦color⟧ \
  -p ⟦outside-port⟧:⟦port⟧ \
  -e MODEL_PATH=/models/model.json \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧
