#include "api/peer_json.h"

#include "api/request.h"

json_t *json_peer(const struct peer_id *id)
{
    char text[PEER_ID_TEXT_MAX];

    (void)peer_id_format(id, text);
    return json_string(text);
}

json_t *json_addr(const struct multiaddr *addr)
{
    char text[MULTIADDR_TEXT_MAX];
    size_t len = multiaddr_format(addr, text);

    return json_text((struct bytes){(uint8_t *)text, len});
}

json_t *json_addrs(const struct multiaddr *addrs, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_addr(&addrs[i]));
    return list;
}

bool request_peer(struct request *q, struct peer_id *ret_id)
{
    if (peer_id_parse(bytes_str(q->tail), ret_id) == OK)
        return true;
    reply_error(q, ERROR_BAD_PEER_ID, NULL, q->tail);
    return false;
}
