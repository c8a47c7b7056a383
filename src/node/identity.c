#include "node/identity.h"

#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/crc32c.h"
#include "crypto/keybox.h"
#include "crypto/secret.h"
#include "env/disk.h"
#include "env/rng.h"

enum {
    MAGIC_BYTES = 7,
    VERSION = 1,
    FLAG_PLAIN = 0,
    FLAG_LOCKED = 1,
    HEAD_BYTES = MAGIC_BYTES + 1 + 1 + 4,
};

static const char magic[] = "XMBLKEY";

/* What the file holds, as views into the bytes that were read. */
struct image {
    bool locked;
    struct bytes payload;
};

/* Everything before the checksum is damage until the checksum says it isn't. */
static enum err parse_image(struct bytes file, struct image *ret_image)
{
    if (file.len < HEAD_BYTES + 4)
        return E_CORRUPT;
    struct rd tail = rd_init(bytes_sub(file, file.len - 4, 4));
    if (rd_be32(&tail) != crc32c(0, bytes_sub(file, 0, file.len - 4)))
        return E_CORRUPT;

    struct rd r = rd_init(bytes_sub(file, 0, file.len - 4));
    struct bytes head = rd_view(&r, MAGIC_BYTES);
    uint8_t version = rd_u8(&r);
    uint8_t flag = rd_u8(&r);
    uint32_t len = rd_be32(&r);
    struct bytes payload = rd_view(&r, len);
    if (!bytes_eq(head, (struct bytes){(const uint8_t *)magic, MAGIC_BYTES}))
        return E_CORRUPT;
    if (version > VERSION)
        return E_UNSUPPORTED;
    if (rd_finish(&r) != OK || flag > FLAG_LOCKED)
        return E_CORRUPT;
    *ret_image = (struct image){flag == FLAG_LOCKED, payload};
    return OK;
}

static enum err read_file(struct disk *disk, struct disk_file *dir,
                          struct secret *ret_bytes)
{
    struct disk_file *f;
    enum err err = disk->open(disk, dir, IDENTITY_FILE, DISK_READ, &f);
    if (err != OK)
        return err;

    struct secret all;
    size_t len = 0;
    secret_init(&all, IDENTITY_FILE_BYTES_MAX + 1);
    err = disk->read(disk, f, 0, all.p, all.len, &len);
    disk->close(disk, f);
    if (err == OK && len > IDENTITY_FILE_BYTES_MAX)
        err = E_CORRUPT;
    if (err == OK)
        secret_init_copy(ret_bytes, (struct bytes){all.p, len});
    secret_release(&all);
    return err;
}

static enum err open_payload(const struct image *image,
                             const struct bytes *pass, struct privkey *ret_key)
{
    if (!image->locked)
        return privkey_decode(image->payload, ret_key) == OK ? OK : E_CORRUPT;
    if (pass == NULL)
        return E_AGAIN;

    struct secret plain;
    enum err err =
        keybox_open(image->payload, *pass, KEYBOX_MEMORY_KIB_DEFAULT, &plain);
    if (err == E_MISMATCH || err == E_UNSUPPORTED)
        return err;
    if (err != OK)
        return E_CORRUPT;
    err = privkey_decode(secret_bytes(&plain), ret_key);
    secret_release(&plain);
    return err == OK ? OK : E_CORRUPT;
}

enum err identity_load(struct disk *disk, struct disk_file *dir,
                       const struct bytes *pass, struct privkey *ret_key)
{
    struct secret file;
    enum err err = read_file(disk, dir, &file);
    if (err != OK)
        return err;

    struct image image;
    err = parse_image(secret_bytes(&file), &image);
    if (err == OK)
        err = open_payload(&image, pass, ret_key);
    secret_release(&file);
    return err;
}

enum err identity_is_locked(struct disk *disk, struct disk_file *dir,
                            bool *ret_locked)
{
    struct secret file;
    enum err err = read_file(disk, dir, &file);
    if (err != OK)
        return err;

    struct image image;
    err = parse_image(secret_bytes(&file), &image);
    if (err == OK)
        *ret_locked = image.locked;
    secret_release(&file);
    return err;
}

static void put_payload(struct wr *w, struct rng *rng,
                        const struct privkey *key, const struct bytes *pass)
{
    uint8_t plain[PRIVKEY_BYTES];

    privkey_encode(key, plain);
    struct bytes plain_view = {plain, sizeof(plain)};
    wr_u8(w, pass != NULL ? FLAG_LOCKED : FLAG_PLAIN);
    if (pass == NULL) {
        wr_be32(w, (uint32_t)sizeof(plain));
        wr_bytes(w, plain_view);
    } else {
        struct keybox_params params = {
            .memory_kib = KEYBOX_MEMORY_KIB_DEFAULT,
            .passes = KEYBOX_PASSES_DEFAULT,
        };
        rng->fill(rng, params.salt, sizeof(params.salt));
        rng->fill(rng, params.nonce, sizeof(params.nonce));
        wr_be32(w, (uint32_t)sizeof(plain) + KEYBOX_OVERHEAD_BYTES);
        keybox_seal(plain_view, *pass, &params, w);
    }
    secret_wipe(plain, sizeof(plain));
}

/* Beside the old file, synced, then renamed over it or into its place. */
static enum err write_file(struct disk *disk, struct disk_file *dir,
                           struct bytes bytes, bool replace)
{
    static const char temp[] = IDENTITY_FILE ".new";
    struct disk_file *f;

    /* A leftover of a write that was killed. */
    (void)disk->unlink(disk, dir, temp, false);
    enum err err =
        disk->open(disk, dir, temp, DISK_WRITE | DISK_CREATE | DISK_EXCL, &f);
    if (err != OK)
        return err;
    err = disk->write(disk, f, 0, &bytes, 1);
    if (err == OK)
        err = disk->sync(disk, f);
    disk->close(disk, f);
    if (err == OK)
        err = disk->rename(disk, dir, temp, dir, IDENTITY_FILE, replace);
    if (err == OK)
        return disk->sync_dir(disk, dir);
    /* The error that we report is the one that made the file useless. */
    (void)disk->unlink(disk, dir, temp, false);
    return err;
}

enum err identity_store(struct disk *disk, struct disk_file *dir,
                        struct rng *rng, const struct privkey *key,
                        const struct bytes *pass, bool replace)
{
    struct secret file;
    struct bytes view = BYTES_EMPTY;

    secret_init(&file, IDENTITY_FILE_BYTES_MAX);
    struct wr w = wr_init(file.p, file.len);
    wr_bytes(&w, (struct bytes){(const uint8_t *)magic, MAGIC_BYTES});
    wr_u8(&w, VERSION);
    put_payload(&w, rng, key, pass);
    wr_be32(&w, crc32c(0, (struct bytes){file.p, wr_len(&w)}));
    enum err err = wr_finish(&w, &view);
    if (err == OK)
        err = write_file(disk, dir, view, replace);
    secret_release(&file);
    return err;
}

enum err identity_create(struct disk *disk, struct disk_file *dir,
                         struct rng *rng, const struct bytes *pass,
                         struct privkey *ret_key)
{
    uint8_t seed[ED25519_SEED_BYTES];
    struct privkey key = {0};

    rng->fill(rng, seed, sizeof(seed));
    privkey_init_seed(&key, seed);
    secret_wipe(seed, sizeof(seed));
    enum err err = identity_store(disk, dir, rng, &key, pass, false);
    if (err != OK) {
        privkey_release(&key);
        return err;
    }
    *ret_key = key;
    return OK;
}
