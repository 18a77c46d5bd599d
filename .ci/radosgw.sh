#!/usr/bin/env bash
# An S3 server to test against: Ceph's RADOS Gateway with one monitor and one store in memory, on loopback,
# without authentication between them. What it holds is lost when it stops.
# Usage: radosgw.sh start FOLDER PORT | stop FOLDER. Prints the settings the tests want.
# Needs the Debian packages ceph-mon, ceph-osd, radosgw and ceph-common. PORT+1 is the monitor's.
set -euo pipefail
readonly action=$1 folder=$2
readonly conf=$folder/ceph.conf

stop() {
  local each pid
  for each in gateway store monitor; do
    [[ -s $folder/$each.pid ]] || continue
    pid=$(<"$folder/$each.pid")
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 30); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$folder/$each.pid"
  done
}

# daemon NAME COMMAND...: in a session of its own, so that it outlives whoever starts it; its process number
# in NAME.pid.
daemon() {
  local name=$1
  shift
  setsid "$@" >"$folder/log/$name.out" 2>&1 </dev/null &
  echo $! >"$folder/$name.pid"
  disown
}

# until_true TRIES COMMAND...: a fifth of a second apart.
until_true() {
  local tries=$1
  shift
  for _ in $(seq "$tries"); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "never: $*" >&2
  return 1
}

# It ends where it asks the monitor for something before it has heard of the cluster ("wrong fsid"): then once more.
start_store() {
  local pid
  for _ in $(seq 5); do
    daemon store ceph-osd -c "$conf" -f -i 0
    pid=$(<"$folder/store.pid")
    until_true 150 bash -c "! kill -0 $pid || ceph -c '$conf' osd stat | grep -q '1 up'"
    if kill -0 "$pid" 2>/dev/null; then return; fi
  done
  echo 'the store ends' >&2
  return 1
}

start() {
  local port=$1 monitor_port=$(($1 + 1)) id
  rm -rf "$folder"
  mkdir -p "$folder"/{mon,osd,rgw,log,run}
  cat >"$conf" <<END
[global]
fsid = $(</proc/sys/kernel/random/uuid)
mon host = [v1:127.0.0.1:$monitor_port]
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
mon warn on insecure global id reclaim = false
public network = 127.0.0.0/8
ms bind ipv4 = true
ms bind msgr2 = false
run dir = $folder/run
admin socket = $folder/run/\$cluster-\$name-\$pid.asok
log file = $folder/log/\$name.log
pid file =
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon max pg per osd = 2000
mon data avail crit = 1
mon data avail warn = 1
[mon.a]
mon data = $folder/mon
[osd]
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 12884901888
osd max object name len = 1024
[client.rgw]
rgw data = $folder/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw enable usage log = false
rgw s3 auth use sts = true
rgw sts key = abcdefghijklmnop
rgw sts min session duration = 60
rgw crypt require ssl = false
rgw dns name = 127.0.0.1
rgw gc obj min wait = 60
END
  monmaptool --create --clobber --fsid "$(sed -n 's/^fsid = //p' "$conf")" \
    --addv a "[v1:127.0.0.1:$monitor_port]" "$folder/monmap" >/dev/null
  ceph-mon -c "$conf" --mkfs -i a --monmap "$folder/monmap" >/dev/null 2>&1
  daemon monitor ceph-mon -c "$conf" -f -i a
  until_true 150 timeout 5 ceph -c "$conf" -s
  id=$(</proc/sys/kernel/random/uuid)
  ceph -c "$conf" osd new "$id" >/dev/null
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$id" >/dev/null 2>&1
  ceph -c "$conf" osd crush add osd.0 1.0 host=localhost root=default >/dev/null 2>&1
  start_store
  daemon gateway radosgw -c "$conf" -n client.rgw -f
  until_true 300 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
  radosgw-admin -c "$conf" -n client.rgw user create --uid=test --display-name=test \
    --access-key=TESTACCESSKEY --secret=testsecret --caps='roles=*' >/dev/null 2>&1
  echo "TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_ACCESS_KEY_ID=TESTACCESSKEY" \
    "TEST_S3_SECRET_ACCESS_KEY=testsecret TEST_S3_CEPH_CONF=$conf"
}

case $action in
  start) start "$3" ;;
  stop) stop ;;
  *) echo "Usage: $0 start FOLDER PORT | stop FOLDER" >&2 && exit 2 ;;
esac
