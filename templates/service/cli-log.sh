#!/usr/bin/env bash
awk -v seed="${1:-1}" '
function draw(n) { state = (state * 16807) % 2147483647; return int(state / 2147483647 * n) }
function line(path, status, took) {
  method = path ~ /predict/ ? "POST" : "GET"
  printf "2026-03-02T%02d:%02d:%02dZ 10.0.3.%d %s %s %d %d\n", int(clock / 3600), int(clock / 60) % 60, clock % 60, 11 + draw(9), method, path, status, took
}
BEGIN {
  state = seed * 7919 % 2147483647 + 1
  for (i = 0; i < 10; i++) draw(10)
  clock = 21600 + draw(600)
  total = 360 + draw(80)
  first = 60 + draw(40)
  for (n = 1; n <= total; n++) {
    clock += 3 + draw(50)
    kind = draw(100)
    path = kind < 62 ? "/predict" : kind < 70 ? "/predict/batch" : kind < 88 ? "/healthz" : "/metrics"
    took = path ~ /predict/ ? 20 + draw(180) : 1 + draw(9)
    if (path ~ /predict/ && draw(9) == 0) took = 200 + draw(330)
    status = 200
    luck = draw(100)
    if (path ~ /predict/ && luck < 9) status = 422
    if (luck == 99) status = 404
    if (n > first && luck > 9 && luck < 12) status = 500
    if (n > first && luck == 12) status = 503
    if (n == 7) { path = "/predict"; status = 200; took = 500 + (seed % 2) * 3 }
    if (n == 12) { path = "/predict"; status = 422; took = 9 }
    if (n == first) { path = "/predict"; status = seed % 2 ? 503 : 500; took = 31 }
    if (n == first + 20) { path = "/predict"; status = 200; took = 970 + draw(20) }
    if (n == first + 90) { path = "/predict/batch"; status = 200; took = 10100 + draw(900) }
    if (n == first + 140) { path = "/predict"; status = seed % 2 ? 500 : 503; took = 1200 + draw(600) }
    if (n == first + 200) { path = "/predict"; status = 200; took = 5000 + draw(900) }
    line(path, status, took)
  }
}'
