#include "node/gateway_rules.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/strbuf.h"

enum { SHIFT_MAX = 16, MS_PER_S = 1000 };

/* A server of plain files has no name for blocks. */
static bool is_block_type(const char *type)
{
    return strcmp(type, GATEWAY_TYPE) == 0 ||
           strcmp(type, "application/octet-stream") == 0;
}

static enum gateway_verdict judge_status(const struct web_answer *a)
{
    switch (a->status) {
    case 200:
        return is_block_type(a->type) ? GATEWAY_GIVES : GATEWAY_WRONG;
    case 400: /* a CID that it does not understand */
    case 403:
    case 404:
    case 410:
    case 451:
    case 504: /* it has looked for it in vain */
        return GATEWAY_HAS_NOT;
    case 408:
    case 425:
    case 429:
        return GATEWAY_BUSY;
    case 501:
    case 505:
        return GATEWAY_WRONG;
    default:
        return a->status >= 500 && a->status < 600 ? GATEWAY_BUSY
                                                   : GATEWAY_WRONG;
    }
}

enum gateway_verdict gateway_judge(const struct web_answer *answer)
{
    /* The body of a refusal is of no interest. */
    if (answer->err == OK || answer->status >= 400)
        return judge_status(answer);
    if (answer->err == E_LIMIT)
        return GATEWAY_HAS_NOT;
    if (answer->err == E_MISMATCH || answer->err == E_UNSUPPORTED ||
        answer->err == E_MALFORMED)
        return GATEWAY_WRONG;
    return GATEWAY_BUSY;
}

uint32_t gateway_rest_ms(uint32_t failures, uint32_t retry_after_s)
{
    uint32_t shift = failures > 0 ? failures - 1 : 0;
    uint64_t ms = (uint64_t)GATEWAY_REST_MS
                  << (shift < SHIFT_MAX ? shift : SHIFT_MAX);
    uint64_t told = (uint64_t)retry_after_s * MS_PER_S;

    if (ms > GATEWAY_REST_MAX_MS)
        ms = GATEWAY_REST_MAX_MS;
    if (told > GATEWAY_RETRY_AFTER_MAX_MS)
        told = GATEWAY_RETRY_AFTER_MAX_MS;
    return (uint32_t)(told > ms ? told : ms);
}

void gateway_block_url(const char *origin, const struct cid *cid,
                       char dst[static WEB_URL_MAX + 1])
{
    char text[CID_TEXT_MAX];
    struct strbuf s;

    assert(strlen(origin) < GATEWAY_URL_MAX);
    (void)cid_format(cid, text);
    strbuf_init(&s, WEB_URL_MAX);
    strbuf_str(&s, origin);
    strbuf_str(&s, "/ipfs/");
    strbuf_str(&s, text);
    strbuf_str(&s, "?format=raw");
    memcpy(dst, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
}
