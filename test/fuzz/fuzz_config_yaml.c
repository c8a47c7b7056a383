/*
 * Goal: no file makes the reader of configurations fail otherwise than by
 * saying so, and a file that was changed is still one, with the new value.
 * Method: load the input; change one key in it; load the result.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void change(struct bytes in)
{
    static struct config_notes notes;
    struct config config;
    struct strbuf out;

    strbuf_init(&out, (size_t)2 * CONFIG_TEXT_MAX);
    config_init(&config);
    enum err err =
        config_text_set(in, CONFIG_STORAGE_COPIES, BYTES_LIT("5"), &out);
    notes = (struct config_notes){.count = 0};
    if (err == OK) {
        enum err loaded = config_load_yaml(&config, strbuf_bytes(&out), "fuzz",
                                           CONFIG_FROM_FILE, &notes);
        assert(loaded != OK ||
               config_get_uint(&config, CONFIG_STORAGE_COPIES) == 5);
    }
    config_release(&config);
    strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config_notes notes;
    struct bytes in = {.p = data, .len = size};
    struct config config;

    config_init(&config);
    notes = (struct config_notes){.count = 0};
    enum err err =
        config_load_yaml(&config, in, "fuzz", CONFIG_FROM_FILE, &notes);
    assert((err == OK) == (notes.errors_count == 0));
    config_release(&config);
    change(in);
    return 0;
}
