#!/bin/sh
# Prints the alerts and recording rules of infrastructure/observability/prometheus/rules as objects of Prometheus'
# operator: sh infrastructure/kubernetes/monitoring/rules.sh | kubectl apply -f -
set -eu
cd "$(dirname "$0")/../../observability/prometheus/rules"
for file in *.yml; do
  printf -- '---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n'
  printf '  name: colloquy-%s\n  namespace: colloquy\n  labels:\n    app.kubernetes.io/name: colloquy\nspec:\n' "${file%.yml}"
  sed 's/^/  /; s/ *$//' "$file"
done
