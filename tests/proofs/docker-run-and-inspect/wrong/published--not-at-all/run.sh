docker run -d --name ⟦delivery-time⟧-⟦color⟧ \
  -e MODEL_PATH=/models/model.json \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧
