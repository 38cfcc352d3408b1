// SPDX-License-Identifier: MIT
// ironcron.yml(5), made from the schema.
#include "base/roff.h"
#include "config/config.h"
#include "config/reference.h"
#include "config/schema.h"

static void add_key(struct buf *out, const struct schema_key *key)
{
    AUTO(buf_release) struct buf words;
    buf_init(&words, REFERENCE_CELL_MAX);
    reference_type(&words, key);
    buf_add_string(out, ".TP\n");
    roff_bold(out, key->name);
    buf_add_string(out, " (");
    roff_text(out, buf_string(&words));
    buf_add_string(out, ")\n");
    buf_clear(&words);
    reference_meaning(&words, key);
    roff_text(out, buf_string(&words));
    if (key->fallback != NULL) {
        buf_add_string(out, " Default: ");
        roff_bold(out, key->fallback);
        buf_add_char(out, '.');
    }
    buf_add_char(out, '\n');
}

static void add_section(struct buf *out, enum schema_section section)
{
    const char *name = schema_section_name(section);
    buf_add_string(out, ".SS ");
    roff_text(out, *name == '\0' ? "The top of the file" : name);
    buf_add_char(out, '\n');
    size_t at;
    size_t end = schema_range(section, &at);
    for (; at < end; at++) {
        add_key(out, &schema_keys[at]);
    }
}

static void add_example(struct buf *out)
{
    buf_add_string(out, ".SH EXAMPLE\n.nf\n");
    for (const char *line = config_template; *line != '\0';) {
        char text[200];
        size_t length = 0;
        for (; line[length] != '\n' && line[length] != '\0' && length < sizeof text - 1; length++) {
            text[length] = line[length];
        }
        text[length] = '\0';
        roff_verbatim(out, text);
        buf_add_char(out, '\n');
        line += length;
        line += *line == '\n';
    }
    buf_add_string(out, ".fi\n");
}

void config_manual(struct buf *out)
{
    buf_add_string(out, ".\\\" Made from the schema by `ironcron help --man configuration`.\n"
                        ".TH IRONCRON.YML 5 \"\" \"ironcron " IRONCRON_VERSION "\" \"ironcron\"\n"
                        ".nh\n.ad l\n"
                        ".SH NAME\nironcron.yml \\- configuration of ironcron\n"
                        ".SH SYNOPSIS\n.I ./ironcron.yml\n.br\n.I /etc/ironcron/ironcron.yml\n"
                        ".SH DESCRIPTION\n");
    roff_paragraphs(out, reference_preface, ".PP", false);
    buf_add_string(out, ".SH KEYS\n");
    for (enum schema_section section = 0; section < SECTION_COUNT; section++) {
        add_section(out, section);
    }
    add_example(out);
    buf_add_string(out, ".SH SEE ALSO\n.BR ironcron (1)\n");
}
