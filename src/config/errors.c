#include "config/errors.h"

#include <assert.h>
#include <stdbool.h>

#include "base/bytes.h"

static const struct error_info rows[] = {
    [ERROR_ADDRESS_IN_USE] =
        {"ADDRESS_IN_USE", EXIT_FAILED, 409, "the address is taken",
         "Choose another port, or port 0 for any free one.",
         "Another program listens on this address already.  A default port "
         "that is taken is replaced by the next free one; a port that was "
         "asked for is not."},
    [ERROR_BAD_ADDRESS] =
        {"BAD_ADDRESS", EXIT_USAGE, 400, "not an address",
         "Write it as /ip4/192.0.2.1/tcp/4101/p2p/PEER.",
         "Peers are named by multiaddrs.  To connect, the address must end "
         "with /p2p/ and the peer's id, so that nobody else can answer for "
         "it."},
    [ERROR_BAD_BLOCK] =
        {"BAD_BLOCK", EXIT_FAILED, 422, "the block is not valid",
         "Check the codec, and that the block is not over 2 MiB.",
         "The bytes are not a block of the codec that was named, or do not "
         "have the hash that they should have."},
    [ERROR_BAD_CAR] =
        {"BAD_CAR", EXIT_FAILED, 422, "not a usable CAR file",
         "Make the file again or fetch it again.",
         "The file does not follow the CAR format, ends too early, or holds "
         "a block that does not match its CID.  Blocks that came before the "
         "fault were kept; the roots were not pinned."},
    [ERROR_BAD_CID] =
        {"BAD_CID", EXIT_USAGE, 400, "not a CID",
         "Copy it again: it begins with bafy, bafk or Qm.",
         "A CID is the address of content.  It has a checksum of no kind, so "
         "a wrong letter shows only in its form or by not being found."},
    [ERROR_BAD_CONFIG] =
        {"BAD_CONFIG", EXIT_USAGE, 422, "the configuration is not valid",
         "Correct the line that is named; `xmbl config check` tries it.",
         "A key is unknown or its value is not of the right type or range.  "
         "The node does not start with a configuration that it understands "
         "only in part."},
    [ERROR_BAD_KEY_FILE] =
        {"BAD_KEY_FILE", EXIT_FAILED, 422, "the key file is damaged",
         "Restore identity.key from a backup, or import the key again.",
         "The file that holds the node's key is cut, altered or of an unknown "
         "format.  Nothing was overwritten."},
    [ERROR_BAD_METHOD] = {"BAD_METHOD", EXIT_USAGE, 405,
                          "the path does not know this method",
                          "See /api/openapi.json for what it knows.",
                          "The route exists, but not for this HTTP method."},
    [ERROR_BAD_NAME] =
        {"BAD_NAME", EXIT_USAGE, 422, "the name is not allowed",
         "Use a name without slashes and control characters.",
         "A name is empty, too long, or holds characters that would change "
         "its meaning somewhere else."},
    [ERROR_BAD_PATH] =
        {"BAD_PATH", EXIT_USAGE, 400, "not a path of content",
         "Write CID/path, /ipfs/CID/path or ipfs://CID/path.",
         "The path has a part that no folder can have, or it does not begin "
         "with a CID."},
    [ERROR_BAD_PEER_ID] =
        {"BAD_PEER_ID", EXIT_USAGE, 400, "not a peer id",
         "Copy it again: it begins with 12D3KooW or Qm.",
         "A peer id is the hash of the peer's public key, in base58 or as a "
         "CID."},
    [ERROR_BAD_RANGE] =
        {"BAD_RANGE", EXIT_FAILED, 416, "nothing of it lies in that range",
         "Ask for a part within the size.",
         "A request named a range of bytes that begins behind the end of the "
         "file.  The answer's Content-Range tells the size."},
    [ERROR_BAD_RECORD] =
        {"BAD_RECORD", EXIT_FAILED, 422, "the record is not valid",
         "Save it again with `xmbl ipns get`, or have its owner publish "
         "again.",
         "The record of a name counts only when it was signed by the key of "
         "this name, is whole and has not ended."},
    [ERROR_BAD_REQUEST] =
        {"BAD_REQUEST", EXIT_USAGE, 400, "the request is not understood",
         "See /api/openapi.json for the fields that are known.",
         "The request is not well formed, lacks a field or has one that is "
         "unknown."},
    [ERROR_BAD_SIGNATURE] =
        {"BAD_SIGNATURE", EXIT_FAILED, 422, "the signature is wrong",
         "Check that key, signature and data belong together.",
         "The signature was not made by this key over exactly these bytes.  "
         "One changed or missing byte, a line end for instance, is enough."},
    [ERROR_BAD_TYPE] =
        {"BAD_TYPE", EXIT_USAGE, 415, "the body is of a type not taken here",
         "Send JSON, with Content-Type: application/json.",
         "The Content-Type of a request says what its body is, and the route "
         "takes another.  curl sends a form unless it is told the type."},
    [ERROR_BAD_USAGE] =
        {"BAD_USAGE", EXIT_USAGE, 400, "wrong usage",
         "`xmbl COMMAND --help` has an example.",
         "An option or argument is unknown, missing or too many."},
    [ERROR_BAD_VALUE] =
        {"BAD_VALUE", EXIT_USAGE, 422, "the value is not allowed",
         "Use a value of the type and range that the message names.",
         "A field or option has a value of the wrong type or out of its "
         "range."},
    [ERROR_BUSY] =
        {"BUSY", EXIT_FAILED, 503, "the node has too much to do",
         "Try again in a moment.",
         "A queue of the node is full.  Nothing of the request was done."},
    [ERROR_CANCELLED] =
        {"CANCELLED", EXIT_INTERRUPTED, 499, "interrupted",
         "The same command begins it again.",
         "The work was stopped by the user.  What was complete is kept."},
    [ERROR_CHANGED_FILE] =
        {"CHANGED_FILE", EXIT_FAILED, 409, "the file changed while it was read",
         "Add it again when nothing writes to it.",
         "Size or time of change of the file were not the same at the end as "
         "at the start, so that what was read may be a mix of two states.  "
         "Nothing was pinned."},
    [ERROR_CONN_LIMIT] =
        {"CONN_LIMIT", EXIT_REFUSED, 429, "too many connections",
         "Disconnect a peer, or raise network.connections_max.",
         "The number of connections, in all or from one address, is limited, "
         "so that no one else can take all places."},
    [ERROR_CORRUPT_BLOCK] =
        {"CORRUPT_BLOCK", EXIT_FAILED, 500, "a stored block is damaged",
         "Run `xmbl verify`: it fetches damaged blocks again.",
         "The bytes on disk do not match the block's checksum or hash.  The "
         "block is not given out.  Damage to more than one block usually "
         "means a failing disk."},
    [ERROR_CORRUPT_STORE] =
        {"CORRUPT_STORE", EXIT_FAILED, 500, "the data folder is damaged",
         "Run `xmbl fsck` with the daemon stopped.",
         "A file of the data folder fails its checksum.  Caches and the index "
         "of blocks are rebuilt by themselves; the key and the configuration "
         "come back from a backup only."},
    [ERROR_DAEMON_NEEDED] =
        {"DAEMON_NEEDED", EXIT_NODAEMON, 503, "no daemon runs",
         "Start one with `xmbl daemon`.",
         "The command needs the network or a running node, and none runs on "
         "this data folder."},
    [ERROR_DAEMON_UNREACHABLE] =
        {"DAEMON_UNREACHABLE", EXIT_NODAEMON, 503, "the daemon does not answer",
         "Look at its log; restart it if it hangs.",
         "A daemon holds the data folder or an address was given with --api, "
         "but nobody answers there."},
    [ERROR_EXISTS] =
        {"EXISTS", EXIT_REFUSED, 409, "there is something already",
         "Choose another name, or --force to replace it.",
         "What is there already is not replaced unless you say so."},
    [ERROR_FOLDER_EXISTS] =
        {"FOLDER_EXISTS", EXIT_REFUSED, 409, "the data folder exists already",
         "Use it as it is, or choose another with --path.",
         "`xmbl init` makes a new key.  It does not touch a folder that has "
         "something in it, because a key that is overwritten is lost."},
    [ERROR_FOLDER_LOCKED] =
        {"FOLDER_LOCKED", EXIT_NODAEMON, 503,
         "the data folder is held by another process",
         "Wait for it to end, or stop it.",
         "Only one process writes to a data folder at a time.  Commands wait "
         "up to 5 seconds for it.  The process is named in the message; the "
         "lock ends with it, also when it is killed."},
    [ERROR_FORBIDDEN] =
        {"FORBIDDEN", EXIT_REFUSED, 403, "not allowed",
         "Use a token with the role that is named.",
         "The token, the Host header or the origin of the request does not "
         "permit this."},
    [ERROR_INCOMPLETE] =
        {"INCOMPLETE", EXIT_FAILED, 500, "only a part could be had",
         "Try again; `xmbl get` tells what is wrong and keeps what has come.",
         "A part of the answer was given out before it turned out that the "
         "rest cannot be had: a block is missing or malformed, peers have "
         "gone, or the daemon ended.  What came is right as far as it goes."},
    [ERROR_INTERNAL] =
        {"INTERNAL", EXIT_FAILED, 500, "a fault of this program",
         "Please report it with the log.",
         "Something happened that the program was not written for.  The log "
         "has the details."},
    [ERROR_IO] =
        {"IO", EXIT_FAILED, 500, "reading or writing failed",
         "Check the disk or device and its cable.",
         "The operating system reported a fault of a disk, a device or a "
         "connection."},
    [ERROR_LIMIT] =
        {"LIMIT", EXIT_FAILED, 422, "over a limit",
         "Use less, or smaller parts.",
         "Sizes and numbers are limited, so that nobody can use up the "
         "memory of a node.  The message names the limit."},
    [ERROR_NETWORK_OFF] =
        {"NETWORK_OFF", EXIT_FAILED, 409, "the network is switched off",
         "`xmbl config set network.enabled true` switches it on.",
         "The node works with what it has itself.  It makes and accepts no "
         "connections."},
    [ERROR_NEWER_FOLDER] =
        {"NEWER_FOLDER", EXIT_REFUSED, 409,
         "the data folder was written by a newer version",
         "Use that version or a later one.",
         "A program does not open a folder of a format that it does not know, "
         "because it could destroy what it does not understand.  Older "
         "folders are migrated at start after a backup."},
    [ERROR_NOT_A_DIRECTORY] =
        {"NOT_A_DIRECTORY", EXIT_FAILED, 422, "not a folder",
         "Leave out the path behind it.",
         "A path goes on behind something that is no folder."},
    [ERROR_NOT_A_FILE] =
        {"NOT_A_FILE", EXIT_FAILED, 422, "not a file",
         "Use `xmbl get` for folders, `xmbl ls` to see what is inside.",
         "The command needs the bytes of one file, and this is a folder, a "
         "device or something that cannot be read as a file."},
    [ERROR_NOT_FOUND] =
        {"NOT_FOUND", EXIT_NOTFOUND, 404, "not found",
         "Check the spelling, or connect to a peer that has it.",
         "Nothing with this name is here, and no connected peer gave it in "
         "time."},
    [ERROR_NOT_PINNED] =
        {"NOT_PINNED", EXIT_NOTFOUND, 404, "there is no such pin",
         "`xmbl pin ls` lists the pins.",
         "Only what was pinned itself can be unpinned.  Blocks below a "
         "recursive pin are kept by it and have no pin of their own."},
    [ERROR_NO_FOLDER] =
        {"NO_FOLDER", EXIT_NOTFOUND, 404, "there is no data folder",
         "Make one with `xmbl init`, or name one with --path.",
         "The data folder is --path, else $XMBL_PATH, else "
         "$XDG_DATA_HOME/xmbl, which is ~/.local/share/xmbl.  `xmbl daemon`, "
         "`xmbl add` and imports make one where there is none."},
    [ERROR_NO_ROUTE] =
        {"NO_ROUTE", EXIT_FAILED, 404, "there is no such path",
         "See /api/openapi.json for the paths that there are.",
         "The daemon does not know the path that was asked for.  Daemon and "
         "command may be of different versions."},
    [ERROR_NO_SPACE] =
        {"NO_SPACE", EXIT_NOSPACE, 507, "the disk is full",
         "Free some space; `xmbl gc` removes what is cache only.",
         "A write was refused before anything was written, or the disk filled "
         "up.  Nothing that was stored before is lost.  storage.reserve is "
         "kept free for others."},
    [ERROR_OBJECT_ROOT] =
        {"OBJECT_ROOT", EXIT_REFUSED, 409, "the pin belongs to an object",
         "`xmbl rm CID` ends the object and its pin.",
         "What was added is an object: its root is pinned as long as it "
         "lives.  `xmbl rm --local` removes the pin alone."},
    [ERROR_OLD_RECORD] =
        {"OLD_RECORD", EXIT_REFUSED, 409,
         "there is a newer record of this name",
         "`xmbl ipns get` saves the newest one.",
         "Of the records of a name the one with the highest sequence number "
         "counts.  An older one is not put in its place."},
    [ERROR_PASSPHRASE_NEEDED] =
        {"PASSPHRASE_NEEDED", EXIT_REFUSED, 403,
         "the key is locked by a passphrase",
         "Give it with --passphrase-file, or on a terminal.",
         "identity.key is encrypted.  The passphrase is read from the file "
         "that --passphrase-file names or asked for on the terminal."},
    [ERROR_PEER_MISMATCH] =
        {"PEER_MISMATCH", EXIT_FAILED, 502, "another peer answered",
         "Ask the peer's owner for its present id.",
         "At this address a peer answers that has another key than the one "
         "that was named.  Nothing was sent to it."},
    [ERROR_PEER_UNREACHABLE] =
        {"PEER_UNREACHABLE", EXIT_FAILED, 502, "the peer cannot be reached",
         "Check the address, and that the peer runs and may be reached.",
         "No connection to any known address of the peer came about, or the "
         "two found no protocol in common."},
    [ERROR_PERMISSION] =
        {"PERMISSION", EXIT_REFUSED, 403, "no permission",
         "Check owner and mode of the file or folder.",
         "The operating system does not let this user read or write there."},
    [ERROR_PINNED] =
        {"PINNED", EXIT_REFUSED, 409, "the block is pinned",
         "Remove the pin first, with `xmbl pin rm`.",
         "A pin or an object needs this block, so it is not removed."},
    [ERROR_QUOTA] =
        {"QUOTA", EXIT_NOSPACE, 507, "the storage limit is reached",
         "Raise storage.limit, or remove something and run `xmbl gc`.",
         "storage.limit says how much this node keeps.  Blocks that are cache "
         "only have gone already when you see this."},
    [ERROR_SHUTTING_DOWN] =
        {"SHUTTING_DOWN", EXIT_NODAEMON, 503, "the daemon is ending",
         "Try again when it has started anew.",
         "The daemon was told to stop and takes no new work."},
    [ERROR_TIMEOUT] =
        {"TIMEOUT", EXIT_TIMEOUT, 504, "time is over",
         "Try again with a longer --timeout.",
         "The work was not done within the time that was given.  What was "
         "complete is kept, the same command again goes on."},
    [ERROR_TOO_LARGE] =
        {"TOO_LARGE", EXIT_FAILED, 413, "too large", "Use smaller parts.",
         "A request, block or file is over the size that is accepted here."},
    [ERROR_TOO_MANY_REQUESTS] =
        {"TOO_MANY_REQUESTS", EXIT_REFUSED, 429, "too many requests",
         "Wait as long as the answer's Retry-After says.",
         "Each token may make a limited number of requests a second."},
    [ERROR_UNAUTHORIZED] =
        {"UNAUTHORIZED", EXIT_REFUSED, 401, "a token is needed",
         "Give one in $XMBL_TOKEN or with --token-file.",
         "Over TCP every request needs a token.  The Unix socket of the data "
         "folder needs none."},
    [ERROR_UNSUPPORTED] =
        {"UNSUPPORTED", EXIT_FAILED, 501, "this version cannot do that",
         "Look for a newer version.",
         "The request is understood, but this version of the program has no "
         "way to do it."},
    [ERROR_UNSUPPORTED_CODEC] =
        {"UNSUPPORTED_CODEC", EXIT_FAILED, 422,
         "the content is of an unknown kind",
         "`xmbl block get` gives the bytes of one block as they are.",
         "The CID names a codec or a hash that this program cannot read.  "
         "Known codecs are raw, dag-pb and dag-cbor."},
    [ERROR_WRONG_PASSPHRASE] =
        {"WRONG_PASSPHRASE", EXIT_REFUSED, 403, "wrong passphrase",
         "Try again; there is no way around it.",
         "The key is encrypted with a key made from the passphrase.  Without "
         "the right one it cannot be had back, except by importing the key "
         "from an export."},
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == ERRORS_COUNT,
               "every error has its row");

const struct error_info *error_info(enum error_id id)
{
    assert((size_t)id < ERRORS_COUNT);
    return &rows[id];
}

static uint8_t upper(char c)
{
    return (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool same_word(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] != '\0' && upper(a[i]) == upper(b[i]))
        i++;
    return a[i] == '\0' && b[i] == '\0';
}

const struct error_info *error_find(const char *code)
{
    for (size_t i = 0; i < ERRORS_COUNT; i++) {
        if (same_word(rows[i].code, code))
            return &rows[i];
    }
    return NULL;
}

enum error_id error_of_err(enum err err)
{
    switch (err) {
    case OK:
        break;
    case E_NOTFOUND:
        return ERROR_NOT_FOUND;
    case E_AGAIN:
        return ERROR_BUSY;
    case E_CANCELED:
        return ERROR_CANCELLED;
    case E_EXISTS:
        return ERROR_EXISTS;
    case E_TIMEOUT:
        return ERROR_TIMEOUT;
    case E_REFUSED:
        return ERROR_PERMISSION;
    case E_CLOSED:
        return ERROR_SHUTTING_DOWN;
    case E_SHORT:
    case E_MALFORMED:
        return ERROR_BAD_VALUE;
    case E_LIMIT:
        return ERROR_LIMIT;
    case E_UNSUPPORTED:
        return ERROR_UNSUPPORTED;
    case E_MISMATCH:
        return ERROR_BAD_BLOCK;
    case E_IO:
        return ERROR_IO;
    case E_NOSPACE:
        return ERROR_NO_SPACE;
    case E_CORRUPT:
        return ERROR_CORRUPT_STORE;
    }
    assert(err != OK);
    return ERROR_INTERNAL;
}
