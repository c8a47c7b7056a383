#ifndef CONFIG_VALUE_PRIV_H
#define CONFIG_VALUE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "config/config.h"

/** struct config_place - where a value stands, and who is told of faults. */
struct config_place {
    enum config_layer layer;
    const char *source;
    uint32_t line;
    struct config_notes *notes;
};

/** config_take - check @count texts and make them the value of @key.
 * @is_list: the source wrote a list, which only a CONFIG_LIST takes.
 *
 * Return: true; false for a bad value, which is noted. */
bool config_take(struct config *c, enum config_key key,
                 const struct bytes *items, size_t count, bool is_list,
                 const struct config_place *place);

/** config_take_text - as config_take() of one text, which for a list is split
 * at commas. */
bool config_take_text(struct config *c, enum config_key key, struct bytes text,
                      const struct config_place *place);

/** config_note_unknown - a fault: there is no key @name, but one like it. */
void config_note_unknown(struct bytes name, const struct config_place *place);

/** config_note_fault - a fault at @place; @text is escaped already. */
void config_note_fault(const char *text, const struct config_place *place);

#endif /* CONFIG_VALUE_PRIV_H */
