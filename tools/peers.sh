#!/bin/sh
# Gets the programs that the interop tests talk to, unless they are there, into
# ${XDG_CACHE_HOME:-~/.cache}/xmbl/peers, and prints the path of one.
#
# Usage: peers.sh kubo     prints the path of the ipfs program
#        peers.sh helia    prints the folder whose node_modules hold helia
#
# Exit codes: 0 found or built; 3 cannot be had here, the last line on standard
# error says why.  The first time takes some minutes and the network.
set -eu

kubo_version=v0.42.0
helia_packages='helia@7 @helia/unixfs@8 @helia/bitswap @helia/libp2p
    blockstore-fs blockstore-core datastore-core @libp2p/tcp @libp2p/noise
    @libp2p/yamux @libp2p/identify @libp2p/ping'
peers=${XDG_CACHE_HOME:-$HOME/.cache}/xmbl/peers

cannot() {
    echo "$*" >&2
    exit 3
}

# at_least WANTED HAVE - compares versions like 1.25 and 1.9.3.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

get_kubo() {
    ipfs=$peers/bin/ipfs
    [ ! -x "$ipfs" ] || return 0
    command -v go >/dev/null || cannot 'kubo: there is no go'
    have=$(go env GOVERSION | sed 's/^go//; s/ .*//')
    at_least 1.25 "$have" || cannot "kubo: needs go 1.25, this is $have"
    mkdir -p "$peers/bin" "$peers/kubo"
    cat >"$peers/kubo/go.mod" <<GO_MOD
module peers

go 1.25

require github.com/ipfs/kubo $kubo_version

tool github.com/ipfs/kubo/cmd/ipfs
GO_MOD
    (cd "$peers/kubo" && GOFLAGS=-mod=mod go build -o "$ipfs.new" \
        github.com/ipfs/kubo/cmd/ipfs) >&2 ||
        cannot "kubo: $kubo_version cannot be built"
    mv "$ipfs.new" "$ipfs"
}

# The stamp tells a whole installation from one that was cut short.
get_helia() {
    helia=$peers/helia
    command -v node >/dev/null || cannot 'helia: there is no node'
    [ ! -f "$helia/node_modules/.package-lock.json" ] ||
        [ ! -d "$helia/node_modules/@helia/bitswap" ] ||
        [ ! -d "$helia/node_modules/helia" ] || return 0
    command -v npm >/dev/null || cannot 'helia: there is no npm'
    have=$(node --version | sed 's/^v//')
    at_least 20 "$have" || cannot "helia: needs node 20, this is $have"
    mkdir -p "$helia"
    [ -f "$helia/package.json" ] ||
        echo '{"private":true,"type":"module"}' >"$helia/package.json"
    # shellcheck disable=SC2086 # a list of words
    (cd "$helia" && npm install --no-audit --no-fund --loglevel=error \
        $helia_packages) >&2 || cannot 'helia: npm cannot install it'
}

case ${1:-} in
kubo)
    get_kubo
    echo "$ipfs"
    ;;
helia)
    get_helia
    echo "$helia"
    ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0" >&2
    exit 2
    ;;
esac
