#!/usr/bin/env bash
# Makes a certificate authority and a serving certificate for podgate, stores the latter in the Secret podgate-tls, and
# tells the API server about the former. Run it after `kubectl apply -k manifests`, and again before it ends.
#
#   manifests/certificate.sh [DAYS]
#
# Needs openssl, and kubectl with the right to write that Secret and the ValidatingWebhookConfiguration. The private key
# of the authority is not kept.
set -euo pipefail

days=${1:-365}
namespace=podgate
host=podgate.$namespace.svc
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj "/CN=podgate CA" \
  -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" \
  -keyout "$folder/tls.key" -out "$folder/tls.csr" 2>/dev/null
printf 'subjectAltName=DNS:%s,DNS:%s.cluster.local\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' \
  "$host" "$host" >"$folder/extensions"
openssl x509 -req -in "$folder/tls.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial -days "$days" \
  -extfile "$folder/extensions" -out "$folder/tls.crt" 2>/dev/null

# The authority first: as long as it alone is new, failurePolicy decides; the other way round would be no better.
bundle=$(base64 <"$folder/ca.crt" | tr -d '\n')
kubectl patch validatingwebhookconfiguration podgate --type=json \
  --patch "[{\"op\": \"add\", \"path\": \"/webhooks/0/clientConfig/caBundle\", \"value\": \"$bundle\"}]"
kubectl create secret tls podgate-tls --namespace "$namespace" --cert "$folder/tls.crt" --key "$folder/tls.key" \
  --dry-run=client --output yaml | kubectl apply --filename -
