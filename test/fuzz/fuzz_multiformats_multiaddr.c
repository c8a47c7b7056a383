/*
 * Goal: no address, in binary or text, harms the parser; what is accepted
 * comes back from its text and its bytes, and answers all questions.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_questions(const struct multiaddr *addr)
{
    struct ma_ip ip;
    uint16_t port = 0;
    uint32_t code = 0;
    struct bytes name;
    if (multiaddr_get_tcp(addr, &ip, &port) == OK)
        assert(ip.len == 4 || ip.len == 16);
    if (multiaddr_get_dns_tcp(addr, &code, &name, &port) == OK)
        assert(name.len > 0);
    if (multiaddr_get_ip(addr, &ip) == OK)
        assert(ma_ip_group(&ip) != 0);
    assert(multiaddr_class(addr) <= MA_CLASS_OTHER);

    struct peer_id id;
    struct multiaddr copy = *addr;
    if (multiaddr_get_peer(addr, &id) == OK) {
        multiaddr_strip_peer(&copy);
        assert(copy.len < addr->len);
        if (copy.len > 0) {
            enum err err = multiaddr_append_peer(&copy, &id);
            assert(err == OK);
            assert(multiaddr_eq(&copy, addr));
        }
    }
}

static void check_text(const struct multiaddr *addr)
{
    char text[MULTIADDR_TEXT_MAX];
    size_t len = multiaddr_format(addr, text);
    assert(len < sizeof(text));
    struct multiaddr back;
    enum err err =
        multiaddr_parse((struct bytes){(const uint8_t *)text, len}, &back);
    assert(err == OK);
    assert(multiaddr_eq(&back, addr));
}

static void check_ip(struct bytes in)
{
    struct ma_ip ip;
    if (ma_ip_parse(in, &ip) != OK)
        return;
    char text[MA_IP_TEXT_MAX];
    size_t len = ma_ip_format(&ip, text);
    struct ma_ip back;
    enum err err =
        ma_ip_parse((struct bytes){(const uint8_t *)text, len}, &back);
    assert(err == OK);
    assert(back.len == ip.len);
    assert(memcmp(back.bytes, ip.bytes, ip.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct multiaddr addr;
    if (multiaddr_decode(in, &addr) == OK) {
        assert(addr.len == len);
        assert(memcmp(addr.bytes, data, len) == 0);
        check_text(&addr);
        check_questions(&addr);
    }
    if (multiaddr_parse(in, &addr) == OK) {
        struct multiaddr back;
        enum err err = multiaddr_decode(multiaddr_bytes(&addr), &back);
        assert(err == OK);
        assert(multiaddr_eq(&back, &addr));
        check_text(&addr);
        check_questions(&addr);
    }
    check_ip(in);
    return 0;
}
