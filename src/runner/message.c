// SPDX-License-Identifier: MIT
#include "runner/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"

struct frame_head {
    uint32_t length; // of the body
    uint32_t type;
    uint64_t tag;
};

#define READ_SIZE   ((size_t)64 * 1024)
#define READ_ROUNDS 4
#define KEEP_MEMORY ((size_t)1024 * 1024) // an empty buffer that grew over this gives it back

void channel_init(struct channel *channel, int fd, size_t out_maximum)
{
    *channel = (struct channel){.fd = fd, .scratch = alloc_zero(READ_SIZE, 1)};
    buf_init(&channel->out, out_maximum);
    buf_init(&channel->in, MESSAGE_BODY_MAX + sizeof(struct frame_head) + READ_SIZE * READ_ROUNDS);
}

void channel_release(struct channel *channel)
{
    buf_release(&channel->out);
    buf_release(&channel->in);
    free(channel->scratch);
    channel->scratch = NULL;
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    channel->fd = -1;
}

void message_begin(struct channel *channel, enum message_type type, uint64_t tag)
{
    struct frame_head head = {.type = (uint32_t)type, .tag = tag};
    channel->open_from = channel->out.length;
    buf_add(&channel->out, &head, sizeof head);
}

void message_put_number(struct channel *channel, uint64_t number)
{
    buf_add(&channel->out, &number, sizeof number);
}

void message_put_text(struct channel *channel, const char *text_or_null)
{
    size_t length = text_or_null == NULL ? 0 : strlen(text_or_null) + 1;
    message_put_number(channel, length);
    buf_add(&channel->out, text_or_null, length);
}

void message_put_bytes(struct channel *channel, const void *bytes, size_t length)
{
    buf_add(&channel->out, bytes, length);
}

bool message_end(struct channel *channel)
{
    struct buf *out = &channel->out;
    if (out->overflow ||
        out->length - channel->open_from > sizeof(struct frame_head) + MESSAGE_BODY_MAX) {
        out->length = channel->open_from;
        out->overflow = false;
        return false;
    }
    uint32_t length = (uint32_t)(out->length - channel->open_from - sizeof(struct frame_head));
    memcpy(out->data + channel->open_from + offsetof(struct frame_head, length), &length,
           sizeof length);
    return true;
}

static void give_back(struct buf *buf)
{
    if (buf->length == 0 && buf->capacity > KEEP_MEMORY) {
        buf_release(buf);
    }
}

bool channel_flush(struct channel *channel)
{
    size_t sent = 0;
    bool alive = true;
    while (sent < channel->out.length) {
        ssize_t n = send(channel->fd, channel->out.data + sent, channel->out.length - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (errno != EINTR) {
            alive = errno == EAGAIN;
            break;
        }
    }
    buf_remove_front(&channel->out, sent);
    give_back(&channel->out);
    return alive;
}

bool channel_fill(struct channel *channel, bool *more_out)
{
    buf_remove_front(&channel->in, channel->taken);
    channel->taken = 0;
    give_back(&channel->in);
    *more_out = true;
    for (int i = 0; i < READ_ROUNDS; i++) {
        ssize_t n = recv(channel->fd, channel->scratch, READ_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            buf_add(&channel->in, channel->scratch, (size_t)n);
            CHECK(
                !channel->in.overflow); // the caller takes every complete message between two fills
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            *more_out = false;
            return false;
        }
        if (n < (ssize_t)READ_SIZE) {
            *more_out = false;
            return true;
        }
    }
    return true;
}

bool channel_next(struct channel *channel, struct message *message_out, bool *corrupt_out)
{
    struct frame_head head;
    size_t left = channel->in.length - channel->taken;
    *corrupt_out = false;
    if (left < sizeof head) {
        return false;
    }
    memcpy(&head, channel->in.data + channel->taken, sizeof head);
    if (head.length > MESSAGE_BODY_MAX || head.type < MESSAGE_START || head.type > MESSAGE_END) {
        *corrupt_out = true;
        return false;
    }
    if (left - sizeof head < head.length) {
        return false;
    }
    *message_out = (struct message){.type = (enum message_type)head.type,
                                    .tag = head.tag,
                                    .bytes = channel->in.data + channel->taken + sizeof head,
                                    .length = head.length};
    channel->taken += sizeof head + head.length;
    return true;
}

uint64_t message_number(struct message *message)
{
    uint64_t number = 0;
    if (message->length - message->position < sizeof number) {
        message->bad = true;
        return 0;
    }
    memcpy(&number, message->bytes + message->position, sizeof number);
    message->position += sizeof number;
    return number;
}

const char *message_text(struct message *message)
{
    uint64_t length = message_number(message);
    if (length == 0) {
        return NULL;
    }
    const char *text = message->bytes + message->position;
    if (length > message->length - message->position || text[length - 1] != '\0') {
        message->bad = true;
        return NULL;
    }
    message->position += (size_t)length;
    return text;
}
