#ifndef MULTIFORMATS_MULTICODEC_H
#define MULTIFORMATS_MULTICODEC_H

/*
 * multicodec - the numbers of the multicodec table that we speak.
 *
 * Spec: multiformats/multicodec table.csv.  Hash functions that we can compute
 * are in crypto/hash.h, those of multiaddrs in multiformats/multiaddr.h.
 */
enum {
    CODEC_CIDV1 = 0x01,
    CODEC_CBOR = 0x51,
    CODEC_RAW = 0x55,
    CODEC_DAG_PB = 0x70,
    CODEC_DAG_CBOR = 0x71,
    CODEC_LIBP2P_KEY = 0x72,
    CODEC_IPFS_NS = 0xe3,
    CODEC_IPNS_NS = 0xe5,
    CODEC_ED25519_PUB = 0xed,
    CODEC_DAG_JSON = 0x0129,
    CODEC_JSON = 0x0200,
    CODEC_CAR = 0x0202,
    CODEC_IPNS_RECORD = 0x0300,
    CODEC_LIBP2P_PEER_RECORD = 0x0301,
    CODEC_LIBP2P_RELAY_RSVP = 0x0302,
    CODEC_CAR_INDEX_SORTED = 0x0400,
    CODEC_CAR_MULTIHASH_INDEX_SORTED = 0x0401,
    CODEC_TRANSPORT_BITSWAP = 0x0900,
    CODEC_TRANSPORT_IPFS_GATEWAY_HTTP = 0x0920,
};

#endif /* MULTIFORMATS_MULTICODEC_H */
