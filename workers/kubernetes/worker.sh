#!/usr/bin/env bash
# A worker in its container. When it was told to leave, its exit code is not 0, so
# that its index of the Job is not complete: another pod takes its place.
set -u

worker='' told=''
trap 'told=yes; [[ -z $worker ]] || kill -TERM "$worker" 2>/dev/null' TERM

sweep-worker --coordinator sweep://sweep-coordinator:7077 --name "${HOSTNAME:-worker}" \
    --token-file /secrets/token/token --ca /secrets/tls/ca.crt --cache /cache "$@" &
worker=$!
# `wait` returns early when a signal comes.
wait "$worker"
code=$?
while kill -0 "$worker" 2>/dev/null; do
    wait "$worker"
    code=$?
done
[[ -z $told ]] || exit 143
exit "$code"
