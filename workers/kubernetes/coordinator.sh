#!/usr/bin/env bash
# The coordinator in its container: runs the study, and stays when it is over, so
# that it is not run again and its results can be fetched.
set -u

cd /data || exit 1
# A container starts anew with its pod, or after a crash.
rm -f /tmp/ended

sweep='' told=''
trap 'told=yes; [[ -z $sweep ]] || kill -TERM "$sweep" 2>/dev/null' TERM

sweep run /experiment/experiment.yaml --runs /data/runs --local-workers 0 \
    --listen 0.0.0.0:7077 --token-file /secrets/token/token \
    --tls-cert /secrets/tls/tls.crt --tls-key /secrets/tls/tls.key \
    --metrics 0.0.0.0:9464 "$@" &
sweep=$!
# `wait` returns early when a signal comes.
wait "$sweep"
code=$?
while kill -0 "$sweep" 2>/dev/null; do
    wait "$sweep"
    code=$?
done
[[ -z $told ]] || exit "$code"

# Finished (0), a file that no restart mends (2), no trial completed (3): told once.
# Anything else is tried again.
case $code in
    0 | 2 | 3) ;;
    *) exit "$code" ;;
esac
touch /tmp/ended
echo "sweep ended with exit code $code; this pod stays until it is deleted"
sleep infinity &
wait $!
