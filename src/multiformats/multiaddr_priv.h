#ifndef MULTIFORMATS_MULTIADDR_PRIV_H
#define MULTIFORMATS_MULTIADDR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct ma_component;
struct wr;

/* How a protocol's value looks as text, and what is checked of it. */
enum ma_kind {
    MA_KIND_NONE, /* no value */
    MA_KIND_IP4,
    MA_KIND_IP6,
    MA_KIND_PORT,
    MA_KIND_CIDR,
    MA_KIND_NUMBER, /* 8 bytes */
    MA_KIND_ONION3,
    MA_KIND_NAME, /* host name or zone */
    MA_KIND_PATH, /* takes the rest of the text */
    MA_KIND_HTTP_PATH,
    MA_KIND_PEER,
    MA_KIND_CERTHASH,
};

enum { MA_SIZE_VARIES = 0xff };

/** struct ma_protocol - row of the table of protocols. */
struct ma_protocol {
    uint32_t code;
    enum ma_kind kind;
    uint8_t size; /* of the value in bytes, or MA_SIZE_VARIES */
    const char *name;
};

/** ma_protocol_by_code - row of @code, or NULL. */
const struct ma_protocol *ma_protocol_by_code(uint64_t code);

/** ma_protocol_by_name - row of @name, or NULL. */
const struct ma_protocol *ma_protocol_by_name(struct bytes name);

/** ma_write - one component in binary. */
void ma_write(struct wr *w, const struct ma_protocol *protocol,
              struct bytes value);

#endif /* MULTIFORMATS_MULTIADDR_PRIV_H */
