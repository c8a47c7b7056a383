#include "sim/machine.h"

#include <assert.h>
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "crypto/ed25519.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "node/fault.h"
#include "node/identity.h"
#include "node/node.h"
#include "sim/web.h"
#include "sim/world.h"

enum { AFTERLIFE_MAX = 1000000, ADDR_ROOM = 256 };

static const char version[] = "sim";

/* Its parts. */

static void rng_fill(struct rng *r, uint8_t *dst, size_t len)
{
    sim_rand_fill(&container_of(r, struct sim_machine, rng)->rand, dst, len);
}

static void on_log(void *user, enum log_level level, struct bytes line)
{
    struct sim_machine *m = user;
    const struct sim_world_config *config = &m->world->config;

    if (m->clock.dead)
        return;
    sim_clock_trace(&m->clock, SIM_LOGGED, line);
    if (config->on_log != NULL)
        config->on_log(config->user, m, level, line);
}

/* As `xmbl init` does it. */
static void make_folder(struct sim_machine *m, const struct privkey *key)
{
    struct disk *disk = &m->disk.disk;
    struct disk_file *dir;
    enum err err = disk->mkdir(disk, NULL, SIM_PATH, false);
    assert(err == OK);
    err = disk->open(disk, NULL, SIM_PATH, DISK_READ | DISK_DIR, &dir);
    assert(err == OK);
    err = identity_store(disk, dir, &m->rng, key, NULL, false);
    assert(err == OK);
    disk->close(disk, dir);
    err = disk->open(disk, NULL, "/", DISK_READ | DISK_DIR, &dir);
    assert(err == OK);
    err = disk->sync_dir(disk, dir);
    assert(err == OK);
    disk->close(disk, dir);
}

/* The key follows from the seed. */
static void make_key(struct sim_machine *m)
{
    uint8_t seed[ED25519_SEED_BYTES];
    struct privkey key;

    sim_rand_fill(&m->rand, seed, sizeof(seed));
    privkey_init_seed(&key, seed);
    m->peer = privkey_peer_id(&key);
    make_folder(m, &key);
    privkey_release(&key);
}

struct sim_machine *sim_machine_new(struct sim_world *world, uint32_t index,
                                    const uint8_t ip[static 4])
{
    struct sim_machine *m = mem_zalloc(1, sizeof(*m));

    m->world = world;
    m->index = index;
    m->powered = true;
    m->rng.fill = rng_fill;
    sim_rand_init(&m->rand, world->seed, "node", index);
    sim_clock_init(&m->clock, &world->time, index);
    sim_host_init(&m->host, &world->net, &m->clock, ip);
    sim_disk_init(&m->disk, &m->clock, world->seed);
    sim_pool_init(&m->pool, &m->disk, world->seed);
    sim_kv_opener_init(&m->kv, &m->disk, world->seed);
    sim_http_init(&m->http, &m->clock);
    sim_web_init(&m->web);
    m->host.peer = &m->peer;
    m->log = (struct log){.write = on_log, .user = m};
    m->env = (struct env){
        .clock = &m->clock.clock,
        .rng = &m->rng,
        .net = &m->host.net,
        .disk = &m->disk.disk,
        .kv = &m->kv.opener,
        .pool = &m->pool.pool,
        .http = &m->http.http,
        .web = &m->web,
    };
    sim_liar_init(&m->liar, world->seed, index);
    m->port = SIM_PORT;
    make_key(m);
    return m;
}

void sim_machine_free(struct sim_machine *m)
{
    if (m == NULL)
        return;
    if (m->state != SIM_OFF)
        sim_machine_kill(m, false);
    sim_http_release(&m->http);
    sim_host_release(&m->host);
    sim_disk_release(&m->disk);
    sim_liar_release(&m->liar);
    sim_clock_release(&m->clock);
    if (m->own != NULL)
        sim_settings_release(m->own);
    mem_free(m->own);
    mem_free(m);
}

enum err sim_machine_set(struct sim_machine *m, const char *pair)
{
    if (m->own == NULL)
        m->own = mem_zalloc(1, sizeof(*m->own));
    return sim_settings_add(m->own, pair);
}

size_t sim_machine_addr(const struct sim_machine *m, char *dst, size_t max)
{
    struct strbuf s;
    char peer[PEER_ID_TEXT_MAX];

    (void)peer_id_format(&m->peer, peer);
    strbuf_init(&s, ADDR_ROOM);
    strbuf_str(&s, "/ip4/");
    for (unsigned i = 0; i < 4; i++) {
        strbuf_str(&s, i > 0 ? "." : "");
        strbuf_u64(&s, m->host.addr.ip[i]);
    }
    strbuf_str(&s, "/tcp/");
    strbuf_u64(&s, m->port);
    strbuf_str(&s, "/p2p/");
    strbuf_str(&s, peer);
    size_t len = s.len;
    assert(len < max);
    memcpy(dst, strbuf_cstr(&s), len + 1);
    strbuf_release(&s);
    return len;
}

/* Starting. */

static void take_config(struct sim_machine *m)
{
    if (m->own == NULL) {
        m->config = &m->world->shared;
        return;
    }
    m->config = mem_alloc(sizeof(*m->config));
    config_copy(m->config, &m->world->shared);
    sim_settings_apply(m->own, m->config);
}

static void drop_config(struct sim_machine *m)
{
    if (m->config != &m->world->shared) {
        config_release(m->config);
        mem_free(m->config);
    }
    m->config = NULL;
}

static enum err load_key(struct sim_machine *m, struct privkey *ret_key)
{
    struct disk *disk = m->env.disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, SIM_PATH, DISK_READ | DISK_DIR, &dir);
    if (err != OK)
        return err;

    err = identity_load(disk, dir, NULL, ret_key);
    disk->close(disk, dir);
    return err;
}

static enum err open_node(struct sim_machine *m, struct fault *ret_fault)
{
    struct node_config config = {
        .path = SIM_PATH,
        .config = m->config,
        .log = m->log,
        .version = version,
    };

    config.log.level =
        (enum log_level)config_get_choice(m->config, CONFIG_LOGGING_LEVEL);
    enum err err = load_key(m, &config.key);
    if (err != OK) {
        fault_from_err(ret_fault, err, "cannot load the key",
                       bytes_str(SIM_PATH));
        return err;
    }
    err = node_prepare(&m->env, SIM_PATH, ret_fault);
    if (err == OK)
        err = node_open(&m->env, &config, &m->node, ret_fault);
    if (err != OK)
        privkey_release(&config.key);
    return err;
}

/* A node that would not start: its disk may have died under it. */
static void give_up_start(struct sim_machine *m)
{
    if (m->node != NULL) {
        m->state = SIM_RUNNING;
        sim_machine_kill(m, false);
        return;
    }
    drop_config(m);
    if (m->disk.died) {
        sim_disk_power(&m->disk);
        sim_disk_revive(&m->disk);
    }
}

static void start_api(struct sim_machine *m)
{
    struct api_config config = {.node = m->node, .http = &m->http.http};

    m->api = api_new(&config);
    m->http.server = api_server(m->api);
}

enum err sim_machine_start(struct sim_machine *m, struct fault *ret_fault)
{
    if (m->state != SIM_OFF) {
        fault_from_err(ret_fault, E_EXISTS, "the node runs", BYTES_EMPTY);
        return E_EXISTS;
    }
    m->powered = true;
    m->host.up = true;
    m->starts++;
    m->stopped = false;
    take_config(m);
    enum err err = open_node(m, ret_fault);
    if (err == OK) {
        start_api(m);
        err = node_start(m->node, sim_clock_now(&m->clock), ret_fault);
    }
    if (err != OK) {
        bool died = m->disk.died;
        give_up_start(m);
        return died ? E_AGAIN : err;
    }
    m->state = SIM_RUNNING;
    node_turn_end(m->node, sim_clock_now(&m->clock));
    sim_host_turn_end(&m->host);
    return OK;
}

/* Ending. */

static void on_stopped(void *user, enum err err)
{
    struct sim_machine *m = user;

    (void)err; /* what a dying node could not write is no concern of ours */
    m->stopped = true;
}

static void begin_stop(struct sim_machine *m)
{
    m->state = SIM_STOPPING;
    sim_http_end_all(&m->http);
    m->http.server = NULL;
    node_stop(m->node, on_stopped, m, sim_clock_now(&m->clock));
}

static bool is_over(const struct sim_machine *m)
{
    return m->stopped && !sim_pool_is_busy(&m->pool);
}

static void dismantle(struct sim_machine *m)
{
    api_free(m->api);
    m->api = NULL;
    node_free(m->node);
    m->node = NULL;
    drop_config(m);
    m->state = SIM_OFF;
}

void sim_machine_stop(struct sim_machine *m)
{
    if (m->state != SIM_RUNNING)
        return;
    begin_stop(m);
    node_turn_end(m->node, sim_clock_now(&m->clock));
    sim_host_turn_end(&m->host);
}

static void turn(struct sim_machine *m)
{
    sim_clock_turn(&m->clock, true);
    sim_clock_fire(&m->clock);
    if (m->node != NULL)
        node_turn_end(m->node, sim_clock_now(&m->clock));
    sim_host_turn_end(&m->host);
    sim_clock_turn(&m->clock, false);
}

/* The node ends where nothing that it does has an effect. */
static void live_on(struct sim_machine *m)
{
    if (m->state == SIM_RUNNING)
        begin_stop(m);
    node_turn_end(m->node, sim_clock_now(&m->clock));
    for (unsigned i = 0; !is_over(m); i++) {
        assert(i < AFTERLIFE_MAX);
        bool more = sim_clock_step(&m->clock);
        assert(more);
        turn(m);
    }
    dismantle(m);
}

void sim_machine_kill(struct sim_machine *m, bool power)
{
    sim_clock_stop(&m->clock);
    sim_host_die(&m->host, power);
    if (power)
        sim_disk_power(&m->disk);
    else
        sim_disk_kill(&m->disk);
    if (m->state != SIM_OFF)
        live_on(m);
    sim_disk_revive(&m->disk);
    sim_clock_resume(&m->clock);
    m->powered = m->powered && !power;
    m->host.up = m->powered;
}

void sim_machine_wipe(struct sim_machine *m)
{
    struct sim_disk old = m->disk;
    struct privkey key;

    sim_machine_kill(m, true);
    enum err err = load_key(m, &key);
    assert(err == OK); /* it was durable before the first start */
    sim_disk_release(&m->disk);
    sim_disk_init(&m->disk, &m->clock, m->world->seed);
    m->disk.capacity_bytes = old.capacity_bytes;
    m->disk.sync_ns = old.sync_ns;
    m->disk.op_ns = old.op_ns;
    m->disk.bytes_per_s = old.bytes_per_s;
    m->disk.rand = old.rand;
    make_folder(m, &key);
    privkey_release(&key);
}

void sim_machine_share(struct sim_machine *m, const uint8_t ip[static 4])
{
    struct strbuf s;

    m->port = (uint16_t)(SIM_PORT + m->index);
    sim_host_share(&m->host, ip, m->port);
    strbuf_init(&s, ADDR_ROOM);
    strbuf_str(&s, "network.listen=/ip4/0.0.0.0/tcp/");
    strbuf_u64(&s, m->port);
    enum err err = sim_machine_set(m, strbuf_cstr(&s));
    assert(err == OK);
    strbuf_release(&s);
}

void sim_machine_turn(struct sim_machine *m)
{
    turn(m);
    if (m->state == SIM_STOPPING && is_over(m))
        dismantle(m);
    if (m->disk.died)
        sim_machine_kill(m, true);
}
