#!/usr/bin/env python3
"""A libtorrent peer on loopback, to compare with.  Needs python3-libtorrent.

Usage: torrent.py create FILE TORRENT
       torrent.py seed TORRENT FOLDER PORT     prints `ready` when checked
       torrent.py leech TORRENT FOLDER PORT PEER_PORT
                          prints the seconds from the dial to the last piece

No encryption, no limits, no other way to find peers than the port.
"""
import os
import sys
import time

import libtorrent

PIECE_BYTES = 1 << 20
SETTINGS = {
    "outgoing_interfaces": "127.0.0.1",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": -1,
    "alert_mask": 0,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
}


def create(path, torrent):
    """Write the torrent of a file."""
    files = libtorrent.file_storage()
    libtorrent.add_files(files, path)
    made = libtorrent.create_torrent(files, PIECE_BYTES,
                                     libtorrent.create_torrent.v1_only)
    libtorrent.set_piece_hashes(made, os.path.dirname(path))
    with open(torrent, "wb") as file:
        file.write(libtorrent.bencode(made.generate()))


def begin(torrent, folder, port):
    """A session with the torrent, after the check of what is there."""
    session = libtorrent.session(
        SETTINGS | {"listen_interfaces": f"127.0.0.1:{port}"})
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~libtorrent.torrent_flags.auto_managed
    params.flags &= ~libtorrent.torrent_flags.paused
    handle = session.add_torrent(params)
    while handle.status().state in (libtorrent.torrent_status.checking_files,
                                    libtorrent.torrent_status.
                                    checking_resume_data):
        time.sleep(0.001)
    return session, handle


def seed(torrent, folder, port):
    """Serve until killed."""
    session, handle = begin(torrent, folder, port)
    while not handle.status().is_seeding:
        time.sleep(0.01)
    print("ready", flush=True)
    while session:
        time.sleep(3600)


def leech(torrent, folder, port, *peer_ports):
    """Fetch, and tell how long it took."""
    session, handle = begin(torrent, folder, port)
    start = time.monotonic()
    for peer_port in peer_ports:
        handle.connect_peer(("127.0.0.1", int(peer_port)))
    while not handle.status().is_seeding:
        time.sleep(0.005)
    print(time.monotonic() - start, flush=True)
    del session
    os._exit(0)


if __name__ == "__main__":
    {"create": create, "seed": seed, "leech": leech}[sys.argv[1]](*sys.argv[2:])
