/*
 * Goal: addresses in text and binary as other programs read and write them,
 * and what we ask of them: where to dial, which peer, who can reach it.
 * Method: vectors of multiformats/go-multiaddr; texts that must fail; every
 * prefix; limits; tables of addresses and their class.
 */
#include "base/wr.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

#include "test.h"

#define PEER_A "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define PEER_B "12D3KooWBPCrmsYzhEALNAUVcxV4PAW6KRH2bmNqiJKLqk8PGyhE"
#define QM     "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"
#define P2P_QM "/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"

static struct multiaddr parse(const char *text)
{
    struct multiaddr addr;
    enum err err = multiaddr_parse(bytes_str(text), &addr);
    if (err != OK)
        fail_msg("%s: %s", text, err_name(err));
    return addr;
}

static void check_text(const struct multiaddr *addr, const char *want)
{
    char text[MULTIADDR_TEXT_MAX];
    assert_int_equal(multiaddr_format(addr, text), strlen(want));
    assert_string_equal(text, want);
}

static const struct {
    const char *text;
    const char *hex;
} vectors[] = {
    {"/ip4/127.0.0.1/udp/1234", "047f000001910204d2"},
    {"/ip4/127.0.0.1/tcp/4321", "047f0000010610e1"},
    {"/ip4/127.0.0.1/tcp/4001", "047f000001060fa1"},
    {"/ip4/127.0.0.1/udp/1234/ip4/127.0.0.1/tcp/4321",
     "047f000001910204d2047f0000010610e1"},
    {"/ip4/1.2.3.4/udp/4001/quic-v1", "040102030491020fa1cd03"},
    {"/ip6/::1/tcp/4001", "2900000000000000000000000000000001060fa1"},
    {"/ip6zone/eth0/ip6/::1",
     "2a0465746830 2900000000000000000000000000000001"},
    {"/dns/example.com/tcp/443/wss", "350b6578616d706c652e636f6d0601bbde03"},
    {"/dns6/x.y/udp/53/quic-v1", "3703782e7991020035cd03"},
    {"/ip4/1.2.3.4/tcp/4001/p2p/" PEER_A "/p2p-circuit",
     "0401020304060fa1 a50326 002408011220"
     "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e a202"},
    {"/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
     "bd03adadec040be047f9658668b11a504f3155001f231a37f54c4476c07fb4cc139ed7e3"
     "0304d2"},
    {"/unix/a/b", "9003042f612f62"},
    {"/ip4/0.0.0.0/ipcidr/24", "04000000002b18"},
    {"/memory/4", "89060000000000000004"},
    {"/memory/18446744073709551615", "8906ffffffffffffffff"},
    {"/http-path/tmp%2Fbar", "e10307746d702f626172"},
};

static void known_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t want[128];
        size_t len = unhex(vectors[i].hex, want, sizeof(want));
        struct multiaddr addr = parse(vectors[i].text);
        assert_int_equal(addr.len, len);
        assert_memory_equal(addr.bytes, want, len);
        check_text(&addr, vectors[i].text);
        struct multiaddr back;
        assert_int_equal(multiaddr_decode((struct bytes){want, len}, &back),
                         OK);
        assert_true(multiaddr_eq(&back, &addr));
    }
}

/* Texts that come out as they went in. */
static const char *const good[] = {
    "/ip4/1.2.3.4",
    "/ip4/192.0.2.0/ipcidr/24",
    "/ip6/2601:9:4f81:9700:803e:ca65:66e8:c21/udp/1234/quic",
    "/ip6/2001:db8::/ipcidr/32",
    "/ip6zone/x%y/ip6/fe80::1",
    "/ip6/::ffff:127.0.0.1/tcp/111",
    "/udp/0",
    "/tcp/65535",
    "/udp/1234/sctp/1234",
    "/udp/1234/udt",
    "/udp/1234/utp",
    "/dccp/7",
    "/tcp/1234/tls/http",
    "/tcp/1234/https",
    ("/p2p/" QM),
    ("/p2p/" PEER_A),
    ("/p2p/" QM "/tcp/1234"),
    ("/p2p/" QM "/unix/a/b/c"),
    "/unix/stdio",
    "/ip4/1.2.3.4/tcp/80/unix/a/b/c/d/e/f",
    "/ip4/127.0.0.1/tcp/9090/http/p2p-webrtc-direct",
    "/ip4/127.0.0.1/tcp/127/tls/ws",
    "/ip4/127.0.0.1/tcp/127/noise",
    "/ip4/127.0.0.1/tcp/127/wss",
    "/ip4/127.0.0.1/udp/127/webrtc-direct",
    "/ip4/127.0.0.1/tcp/127/webrtc",
    "/ip4/127.0.0.1/tcp/1/p2p-websocket-star",
    "/ip4/127.0.0.1/tcp/1/plaintextv2",
    ("/ip4/127.0.0.1/udp/1234/quic-v1/webtransport/certhash/"
     "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g"),
    "/ip4/127.0.0.1/tcp/443/tls/sni/example.com/http/http-path/foo",
    "/http-path/tmp%2Fbar%2Fbaz",
    "/http-path/a-b_c.d~e$f&g+h=i:j@k%20%3F%00%FF",
    ("/dnsaddr/bootstrap.libp2p.io/p2p/" QM),
    "/dns4/a.b/tcp/1",
};

static void texts_stay_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct multiaddr addr = parse(good[i]);
        check_text(&addr, good[i]);
        struct multiaddr back;
        assert_int_equal(multiaddr_decode(multiaddr_bytes(&addr), &back), OK);
        assert_true(multiaddr_eq(&back, &addr));
    }
}

static void texts_are_made_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } texts[] = {
        {"/ip4/127.0.0.1/tcp/1234/", "/ip4/127.0.0.1/tcp/1234"},
        {"/ip4/127.0.0.1/tcp/1234///", "/ip4/127.0.0.1/tcp/1234"},
        {"/ipfs/" QM, "/p2p/" QM},
        {"/p2p/k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe",
         "/p2p/" PEER_A},
        {"/p2p/bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt"
         "6",
         "/p2p/" PEER_A},
        {"/ip6/0:0:0:0:0:0:0:1/tcp/1", "/ip6/::1/tcp/1"},
        {"/ip6/2001:DB8:0:0:1:0:0:1", "/ip6/2001:db8::1:0:0:1"},
        {"/ip6/::ffff:7f00:1", "/ip6/::ffff:127.0.0.1"},
        {"/tcp/00080", "/tcp/80"},
        {"/certhash/b2uaraocy6yrdblb4sfptaddgimjmmpy",
         "/certhash/u1QEQOFj2IjCsPJFfMAxmQxLGPw"},
        {"/unix/a/", "/unix/a"},
        {"/http-path/%61", "/http-path/a"},
        {"/http-path/a,b", "/http-path/a%2Cb"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct multiaddr addr = parse(texts[i].in);
        check_text(&addr, texts[i].out);
    }
}

static enum err parse_fails(const char *text)
{
    struct multiaddr addr = {.len = 999};
    enum err err = multiaddr_parse(bytes_str(text), &addr);
    if (err == OK)
        fail_msg("%s was accepted", text);
    assert_int_equal(addr.len, 999);
    return err;
}

static void texts_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "/ip4",
        "/ip4/::1",
        "/ip4/fdpsofodsajfdoisa",
        "/ip4/::/ipcidr/256",
        "/ip6/::/ipcidr/1026",
        "/ip6",
        "/ip6/1.2.3.4",
        "/ip6zone",
        "/ip6zone/",
        "/ip6zone//ip6/fe80::1",
        "/udp",
        "/tcp",
        "/sctp",
        "/udp/65536",
        "/tcp/65536",
        "/tcp/+1",
        "/tcp/-1",
        "/tcp/ 1",
        "/tcp/0x1",
        "/tcp/000000000000000000001",
        "/quic/65536",
        "/quic-v1/65536",
        "/onion3/9ww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:80",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd7:80",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:0",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:-1",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyy@:666",
        "/udp/1234/sctp",
        "/udp/1234/udt/1234",
        "/udp/1234/utp/1234",
        "/ip4/127.0.0.1/udp/jfodsajfidosajfoidsa",
        "/ip4/127.0.0.1/udp",
        "/ip4/127.0.0.1/quic/1234",
        "/ip4/127.0.0.1/udp/1234/quic-v1/webtransport/certhash",
        "/certhash/b2uaraocy6yrdblb4sfptaddgimjmmp",
        "/certhash/u",
        "/ip4/127.0.0.1/ipfs",
        "/ip4/127.0.0.1/ipfs/tcp",
        "/ip4/127.0.0.1/p2p",
        "/ip4/127.0.0.1/p2p/tcp",
        "/p2p/?unknownmultibase",
        "/p2p/k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl-",
        "/p2p/k2jmtxwoe2phm1hbqp0e7nufqf6umvuu2e9qd7ana7h411a0haqj6i2z",
        "/p2p/QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY",
        "/unix",
        "/ip4/1.2.3.4/tcp/80/unix",
        "/memory/18446744073709551616",
        "/memory/92233720368547758081",
        "/ip4/127.0.0.1/tcp/9090/http/p2p-webcrt-direct",
        "/http-path/%",
        "/http-path/%2",
        "/http-path/%zz",
        "/dns/a b",
        "/dns4//tcp/1",
        "//ip4/1.2.3.4",
        "/ip4/1.2.3.4//tcp/1",
        "ip4/1.2.3.4",
        " /ip4/1.2.3.4",
        "/",
        "///",
        "",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(parse_fails(bad[i]), OK);
    assert_int_equal(parse_fails("/onion/timaq4ygg2iegci7:80"), E_UNSUPPORTED);
    assert_int_equal(parse_fails("/tcp"), E_SHORT);
    assert_int_equal(parse_fails(""), E_SHORT);
}

static void every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct multiaddr addr = parse(good[i]);
        struct multiaddr got;
        for (size_t len = 0; len < addr.len; len++) {
            /* What is accepted must be an address of its own. */
            uint8_t *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, addr.bytes, len);
            enum err err = multiaddr_decode((struct bytes){copy, len}, &got);
            free(copy);
            if (err != OK)
                continue;
            char text[MULTIADDR_TEXT_MAX];
            multiaddr_format(&got, text);
            struct multiaddr again = parse(text);
            assert_true(multiaddr_eq(&again, &got));
        }
        for (size_t len = 0; len < strlen(good[i]); len++)
            (void)multiaddr_parse((struct bytes){(const uint8_t *)good[i], len},
                                  &got); /* must not read past the end */
    }
    struct multiaddr got;
    struct multiaddr one = parse("/p2p/" PEER_A);
    for (size_t len = 0; len < one.len; len++)
        assert_int_not_equal(
            multiaddr_decode((struct bytes){one.bytes, len}, &got), OK);
}

static enum err decode(const char *hex)
{
    uint8_t in[512] = {0};
    struct multiaddr addr;
    return multiaddr_decode((struct bytes){in, unhex(hex, in, sizeof(in))},
                            &addr);
}

static void binary_refused(void **state)
{
    (void)state;
    assert_int_equal(decode(""), E_SHORT);
    assert_int_equal(decode("04010203"), E_SHORT);
    assert_int_equal(decode("05"), E_UNSUPPORTED);
    assert_int_equal(decode("0401020304 ffff01"), E_UNSUPPORTED);
    assert_int_equal(decode("840001020304"), E_MALFORMED); /* not minimal */
    assert_int_equal(decode("3500"), E_MALFORMED);         /* no name */
    assert_int_equal(decode("35022f61"), E_MALFORMED);     /* slash */
    assert_int_equal(decode("35026100"), E_MALFORMED);     /* NUL */
    assert_int_equal(decode("a50300"), E_MALFORMED);       /* no id */
    assert_int_equal(decode("a503221221c05877cbae039d70a5e600ea02c6f9f29424392"
                            "85c9e344e26f8d280c850fad6"),
                     E_MALFORMED);
    assert_int_equal(decode("d20300"), E_MALFORMED); /* no certhash */
    assert_int_equal(decode("e10300"), E_MALFORMED); /* no path */
    assert_int_equal(decode("90030161"), E_MALFORMED);
    assert_int_equal(decode("9003012f"), E_MALFORMED);
    assert_int_equal(decode("9003032f612f"), E_MALFORMED);
    assert_int_equal(decode("9003022f61"), OK);
    assert_int_equal(decode("9003022f610401020304"), E_MALFORMED);
}

static void limits(void **state)
{
    (void)state;
    uint8_t in[MULTIADDR_BYTES_MAX + 1];
    struct multiaddr addr;
    memset(in, 'a', sizeof(in));
    in[0] = MA_DNS;
    in[1] = 0xfd;
    in[2] = 0x01;
    assert_int_equal(
        multiaddr_decode((struct bytes){in, MULTIADDR_BYTES_MAX}, &addr), OK);
    in[1] = 0xfe;
    assert_int_equal(multiaddr_decode((struct bytes){in, sizeof(in)}, &addr),
                     E_LIMIT);

    /* The names of components that have no value are the longest texts. */
    static const char name[] = "/p2p-websocket-star";
    char text[MULTIADDR_PARSE_MAX + 2];
    size_t len = 0;
    for (size_t i = 0; i < MULTIADDR_COMPONENTS_MAX; i++) {
        memcpy(text + len, name, sizeof(name));
        len += sizeof(name) - 1;
    }
    addr = parse(text);
    check_text(&addr, text);
    memcpy(text + len, "/ws", 4);
    assert_int_equal(parse_fails(text), E_LIMIT);

    memset(text, '/', sizeof(text));
    memcpy(text, "/ip4/1.2.3.4", 12);
    text[MULTIADDR_PARSE_MAX] = '\0';
    (void)parse(text); /* long, but good */
    text[MULTIADDR_PARSE_MAX] = '/';
    text[MULTIADDR_PARSE_MAX + 1] = '\0';
    assert_int_equal(parse_fails(text), E_LIMIT);
}

static void longest_text_fits(void **state)
{
    (void)state;
    /* Every byte of the path takes three characters. */
    uint8_t in[MULTIADDR_BYTES_MAX];
    memset(in, 0xff, sizeof(in));
    size_t len = 0;
    for (size_t i = 0; i < MULTIADDR_COMPONENTS_MAX - 1; i++) {
        in[len++] = 0xdf; /* p2p-websocket-star */
        in[len++] = 0x03;
    }
    in[len++] = 0xe1;
    in[len++] = 0x03;
    in[len] = (uint8_t)(MULTIADDR_BYTES_MAX - len - 2);
    in[len + 1] = 0x01;
    in[len] |= 0x80;
    len = MULTIADDR_BYTES_MAX;
    struct multiaddr addr;
    assert_int_equal(multiaddr_decode((struct bytes){in, len}, &addr), OK);
    char text[MULTIADDR_TEXT_MAX];
    size_t text_len = multiaddr_format(&addr, text);
    assert_true(text_len > 900);
    assert_int_equal(strlen(text), text_len);
}

static void components(void **state)
{
    (void)state;
    struct multiaddr addr = parse("/ip4/1.2.3.4/utp/p2p/" QM "/tcp/1");
    static const uint32_t codes[] = {MA_IP4, MA_UTP, MA_P2P, MA_TCP};
    static const size_t lens[] = {4, 0, 34, 2};
    struct rd r = multiaddr_rd(&addr);
    struct ma_component c;
    for (size_t i = 0; i < 4; i++) {
        assert_true(multiaddr_next(&r, &c));
        assert_int_equal(c.code, codes[i]);
        assert_int_equal(c.value.len, lens[i]);
        assert_true(multiaddr_has(&addr, codes[i]));
    }
    assert_false(multiaddr_next(&r, &c));
    assert_false(multiaddr_has(&addr, MA_UDP));
}

static struct ma_ip ip_of(const char *text)
{
    struct ma_ip ip;
    if (ma_ip_parse(bytes_str(text), &ip) != OK)
        fail_msg("%s is no address", text);
    return ip;
}

static void ip_and_port(void **state)
{
    (void)state;
    struct ma_ip ip = ip_of("1.2.3.4");
    struct multiaddr addr = multiaddr_from_ip_port(&ip, MA_TCP, 4101);
    check_text(&addr, "/ip4/1.2.3.4/tcp/4101");
    ip = ip_of("2001:db8::7");
    addr = multiaddr_from_ip_port(&ip, MA_UDP, 65535);
    check_text(&addr, "/ip6/2001:db8::7/udp/65535");

    struct ma_ip got;
    uint16_t port = 0;
    assert_int_equal(multiaddr_get_tcp(&addr, &got, &port), E_UNSUPPORTED);
    addr = parse("/ip6/2001:db8::7/tcp/4101/p2p/" QM);
    assert_int_equal(multiaddr_get_tcp(&addr, &got, &port), OK);
    assert_int_equal(got.len, 16);
    assert_memory_equal(got.bytes, ip.bytes, 16);
    assert_int_equal(port, 4101);
    static const char *const others[] = {
        "/ip4/1.2.3.4",
        "/tcp/1",
        "/tcp/1/ip4/1.2.3.4",
        "/ip4/1.2.3.4/udp/1",
        "/ip4/1.2.3.4/tcp/1/ws",
        ("/ip4/1.2.3.4/tcp/1/p2p/" QM "/p2p-circuit"),
        "/ip4/1.2.3.4/ip4/1.2.3.4/tcp/1",
        "/dns4/a.b/tcp/1",
        "/ip6zone/x/ip6/fe80::1/tcp/1",
        P2P_QM,
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        addr = parse(others[i]);
        assert_int_equal(multiaddr_get_tcp(&addr, &got, &port), E_UNSUPPORTED);
    }
}

static void zones(void **state)
{
    struct ma_ip ip = ip_of("fe80::1");
    struct multiaddr addr = parse("/ip6zone/eth0/ip6/fe80::1/tcp/7" P2P_QM);
    struct ma_ip got;
    struct bytes zone;
    uint16_t port = 0;

    (void)state;
    assert_int_equal(multiaddr_get_zoned_tcp(&addr, &got, &port, &zone), OK);
    assert_memory_equal(got.bytes, ip.bytes, 16);
    assert_int_equal(port, 7);
    assert_true(bytes_eq(zone, bytes_str("eth0")));
    addr = parse("/ip4/1.2.3.4/tcp/8");
    assert_int_equal(multiaddr_get_zoned_tcp(&addr, &got, &port, &zone), OK);
    assert_int_equal(port, 8);
    assert_int_equal(zone.len, 0);
    static const char *const others[] = {
        "/ip6zone/x",
        "/ip6zone/x/tcp/1",
        "/ip6zone/x/ip4/1.2.3.4/tcp/1",
        "/ip6zone/x/ip6zone/y/ip6/fe80::1/tcp/1",
        "/ip6zone/x/ip6/fe80::1/udp/1",
        "/ip6zone/x/ip6/fe80::1/tcp/1/ws",
        "/dns6/a.b/tcp/1",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        addr = parse(others[i]);
        assert_int_equal(multiaddr_get_zoned_tcp(&addr, &got, &port, &zone),
                         E_UNSUPPORTED);
    }
}

static void names(void **state)
{
    (void)state;
    uint32_t code = 0;
    uint16_t port = 0;
    struct bytes name;
    struct multiaddr addr = parse("/dns4/a.b/tcp/7/p2p/" QM);
    assert_int_equal(multiaddr_get_dns_tcp(&addr, &code, &name, &port), OK);
    assert_int_equal(code, MA_DNS4);
    assert_int_equal(port, 7);
    assert_true(bytes_eq(name, BYTES_LIT("a.b")));
    static const char *const others[] = {"/ip4/1.2.3.4/tcp/1", "/dns/a.b",
                                         "/dns/a.b/udp/1", "/dnsaddr/a.b",
                                         "/dns/a.b/tcp/1/wss"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        addr = parse(others[i]);
        assert_int_equal(multiaddr_get_dns_tcp(&addr, &code, &name, &port),
                         E_UNSUPPORTED);
    }
}

static void peers(void **state)
{
    (void)state;
    struct peer_id a;
    struct peer_id got;
    assert_int_equal(peer_id_parse(BYTES_LIT(PEER_A), &a), OK);
    struct multiaddr addr = parse("/ip4/1.2.3.4/tcp/1");
    assert_int_equal(multiaddr_get_peer(&addr, &got), E_NOTFOUND);
    struct multiaddr bare = addr;
    assert_int_equal(multiaddr_append_peer(&addr, &a), OK);
    check_text(&addr, "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A);
    assert_int_equal(multiaddr_get_peer(&addr, &got), OK);
    assert_true(peer_id_eq(&got, &a));
    multiaddr_strip_peer(&addr);
    assert_memory_equal(&addr, &bare, sizeof(addr));
    multiaddr_strip_peer(&addr);
    assert_true(multiaddr_eq(&addr, &bare));

    addr = parse("/ip4/1.2.3.4/tcp/1/p2p/" PEER_A "/p2p-circuit");
    assert_true(multiaddr_is_relay(&addr));
    assert_int_equal(multiaddr_get_peer(&addr, &got), E_NOTFOUND);
    struct multiaddr tail = parse("/p2p/" PEER_B);
    assert_int_equal(multiaddr_append(&addr, &tail), OK);
    check_text(&addr,
               "/ip4/1.2.3.4/tcp/1/p2p/" PEER_A "/p2p-circuit/p2p/" PEER_B);
    assert_int_equal(multiaddr_get_peer(&addr, &got), OK);
    multiaddr_strip_peer(&tail);
    assert_int_equal(tail.len, 0);
    assert_int_equal(multiaddr_get_peer(&tail, &got), E_NOTFOUND);

    addr = parse("/ip4/1.2.3.4");
    size_t count = 1;
    while (multiaddr_append_peer(&addr, &a) == OK)
        count++;
    assert_int_equal(count, 1 + (MULTIADDR_BYTES_MAX - 5) / 41);
    check_text(&bare, "/ip4/1.2.3.4/tcp/1");
}

static void ip_texts(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } texts[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"0:0:1:0:0:0:1:0", "0:0:1::1:0"},
        {"1:0:0:2:0:0:3:4", "1::2:0:0:3:4"},
        {"2001:0DB8:0000::0001", "2001:db8::1"},
        {"::1.2.3.4", "::102:304"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ma_ip ip = ip_of(texts[i].in);
        char text[MA_IP_TEXT_MAX];
        assert_int_equal(ma_ip_format(&ip, text), strlen(texts[i].out));
        assert_string_equal(text, texts[i].out);
    }
}

static void ip_texts_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "1",
        "1.2.3",
        "1.2.3.",
        "1.2.3.4.",
        "1.2.3.4.5",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "1.2.3.04",
        "1.2.3.0x4",
        "1.2.3.4 ",
        "+1.2.3.4",
        ":",
        ":::",
        "1:",
        ":1",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "12345::",
        "g::",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.4:1",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::ffff:1.2.3.256",
        "fe80::1%eth0",
        "[::1]",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7",
        "0000:0000:0000:0000:0000:ffff:255.255.255.2555",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ma_ip ip;
        if (ma_ip_parse(bytes_str(bad[i]), &ip) != E_MALFORMED)
            fail_msg("%s was accepted", bad[i]);
    }
}

static const struct {
    const char *text;
    enum ma_class class;
} classes[] = {
    {"/ip4/127.0.0.1/tcp/1", MA_CLASS_LOOPBACK},
    {"/ip4/127.255.255.255", MA_CLASS_LOOPBACK},
    {"/ip4/126.255.255.255", MA_CLASS_PUBLIC},
    {"/ip4/128.0.0.0", MA_CLASS_PUBLIC},
    {"/ip4/10.0.0.0", MA_CLASS_PRIVATE},
    {"/ip4/10.255.255.255", MA_CLASS_PRIVATE},
    {"/ip4/11.0.0.0", MA_CLASS_PUBLIC},
    {"/ip4/100.63.255.255", MA_CLASS_PUBLIC},
    {"/ip4/100.64.0.0", MA_CLASS_PRIVATE},
    {"/ip4/100.127.255.255", MA_CLASS_PRIVATE},
    {"/ip4/100.128.0.0", MA_CLASS_PUBLIC},
    {"/ip4/172.15.255.255", MA_CLASS_PUBLIC},
    {"/ip4/172.16.0.0", MA_CLASS_PRIVATE},
    {"/ip4/172.31.255.255", MA_CLASS_PRIVATE},
    {"/ip4/172.32.0.0", MA_CLASS_PUBLIC},
    {"/ip4/192.168.0.0", MA_CLASS_PRIVATE},
    {"/ip4/192.169.0.0", MA_CLASS_PUBLIC},
    {"/ip4/169.254.1.1", MA_CLASS_PRIVATE},
    {"/ip4/0.0.0.0", MA_CLASS_UNROUTABLE},
    {"/ip4/192.0.0.63", MA_CLASS_UNROUTABLE},
    {"/ip4/192.0.0.64", MA_CLASS_PUBLIC},
    {"/ip4/192.0.2.1", MA_CLASS_UNROUTABLE},
    {"/ip4/192.88.99.1", MA_CLASS_UNROUTABLE},
    {"/ip4/198.18.0.1", MA_CLASS_UNROUTABLE},
    {"/ip4/198.19.255.255", MA_CLASS_UNROUTABLE},
    {"/ip4/198.20.0.0", MA_CLASS_PUBLIC},
    {"/ip4/198.51.100.1", MA_CLASS_UNROUTABLE},
    {"/ip4/203.0.113.1", MA_CLASS_UNROUTABLE},
    {"/ip4/223.255.255.255", MA_CLASS_PUBLIC},
    {"/ip4/224.0.0.1", MA_CLASS_UNROUTABLE},
    {"/ip4/240.0.0.1", MA_CLASS_UNROUTABLE},
    {"/ip4/255.255.255.255", MA_CLASS_UNROUTABLE},
    {"/ip4/8.8.8.8/tcp/1", MA_CLASS_PUBLIC},
    {"/ip6/::1", MA_CLASS_LOOPBACK},
    {"/ip6/::2", MA_CLASS_UNROUTABLE},
    {"/ip6/::", MA_CLASS_UNROUTABLE},
    {"/ip6/fc00::1", MA_CLASS_PRIVATE},
    {"/ip6/fdff::1", MA_CLASS_PRIVATE},
    {"/ip6/fe80::1", MA_CLASS_PRIVATE},
    {"/ip6/febf::1", MA_CLASS_PRIVATE},
    {"/ip6/fec0::1", MA_CLASS_UNROUTABLE},
    {"/ip6/ff02::1", MA_CLASS_UNROUTABLE},
    {"/ip6/2000::1", MA_CLASS_PUBLIC},
    {"/ip6/3fff:ffff::1", MA_CLASS_PUBLIC},
    {"/ip6/4000::1", MA_CLASS_UNROUTABLE},
    {"/ip6/2001:db8::1", MA_CLASS_UNROUTABLE},
    {"/ip6/2001:db9::1", MA_CLASS_PUBLIC},
    {"/ip6/64:ff9b::8.8.8.8", MA_CLASS_PUBLIC},
    {"/ip6/64:ff9b::10.0.0.1", MA_CLASS_PRIVATE},
    {"/ip6/64:ff9b:1::1", MA_CLASS_PUBLIC},
    {"/ip6/::ffff:127.0.0.1", MA_CLASS_LOOPBACK},
    {"/ip6/::ffff:10.0.0.1", MA_CLASS_PRIVATE},
    {"/ip6zone/eth0/ip6/fe80::1/tcp/1", MA_CLASS_PRIVATE},
    {"/ip6zone/eth0", MA_CLASS_OTHER},
    {"/dns/example.com/tcp/1", MA_CLASS_PUBLIC},
    {"/dnsaddr/bootstrap.libp2p.io", MA_CLASS_PUBLIC},
    {"/dns4/localhost/tcp/1", MA_CLASS_LOOPBACK},
    {"/dns4/LocalHost./tcp/1", MA_CLASS_LOOPBACK},
    {"/dns6/a.localhost", MA_CLASS_LOOPBACK},
    {"/dns6/notlocalhost", MA_CLASS_PUBLIC},
    {"/dns/printer.local", MA_CLASS_PRIVATE},
    {"/dns/box.home.arpa", MA_CLASS_PRIVATE},
    {"/dns/arpa", MA_CLASS_PUBLIC},
    {"/dns/1.in-addr.arpa", MA_CLASS_UNROUTABLE},
    {"/dns/x.ip6.arpa", MA_CLASS_UNROUTABLE},
    {"/dns/x.invalid", MA_CLASS_UNROUTABLE},
    {"/dns/test", MA_CLASS_UNROUTABLE},
    {"/dns/.", MA_CLASS_UNROUTABLE},
    {"/p2p/" QM, MA_CLASS_OTHER},
    {"/tcp/1/ip4/8.8.8.8", MA_CLASS_OTHER},
    {"/unix/a", MA_CLASS_OTHER},
};

static void address_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        struct multiaddr addr = parse(classes[i].text);
        if (multiaddr_class(&addr) != classes[i].class)
            fail_msg("%s", classes[i].text);
    }
    struct multiaddr none = {0};
    assert_int_equal(multiaddr_class(&none), MA_CLASS_OTHER);
}

static uint64_t group_of(const char *text)
{
    struct ma_ip ip = ip_of(text);
    return ma_ip_group(&ip);
}

static void groups(void **state)
{
    (void)state;
    assert_true(group_of("1.2.3.4") == group_of("1.2.255.255"));
    assert_true(group_of("1.2.3.4") != group_of("1.3.3.4"));
    assert_true(group_of("1.2.3.4") != group_of("2.2.3.4"));
    assert_true(group_of("1.2.3.4") == group_of("::ffff:1.2.9.9"));
    assert_true(group_of("2001:db8::1") == group_of("2001:db8:ffff::1"));
    assert_true(group_of("2001:db8::1") != group_of("2001:db9::1"));
    assert_true(group_of("0.0.0.0") != group_of("::"));
    assert_true(group_of("::") != 0);
    assert_true(group_of("0.0.0.0") != 0);
}

static void order(void **state)
{
    (void)state;
    struct multiaddr a = parse("/ip4/1.2.3.4");
    struct multiaddr b = parse("/ip4/1.2.3.4/tcp/1");
    assert_true(multiaddr_cmp(&a, &b) < 0);
    assert_true(multiaddr_cmp(&b, &a) > 0);
    assert_int_equal(multiaddr_cmp(&a, &a), 0);
    assert_false(multiaddr_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_addresses),
        cmocka_unit_test(texts_stay_the_same),
        cmocka_unit_test(texts_are_made_canonical),
        cmocka_unit_test(texts_refused),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(binary_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(components),
        cmocka_unit_test(ip_and_port),
        cmocka_unit_test(zones),
        cmocka_unit_test(names),
        cmocka_unit_test(peers),
        cmocka_unit_test(ip_texts),
        cmocka_unit_test(ip_texts_refused),
        cmocka_unit_test(address_classes),
        cmocka_unit_test(groups),
        cmocka_unit_test(order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
