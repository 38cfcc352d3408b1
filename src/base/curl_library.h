// SPDX-License-Identifier: MIT
// libcurl, loaded when it is first needed: with TLS, Kerberos and LDAP it brings twenty libraries,
// which cost each start some milliseconds and an idle node some megabytes. Its functions keep their
// names: include this instead of <curl/curl.h>, and call curl_library_load before the first.
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"

#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(global_cleanup)                                                                              \
    X(slist_append)                                                                                \
    X(slist_free_all)                                                                              \
    X(easy_init)                                                                                   \
    X(easy_cleanup)                                                                                \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_perform)                                                                                \
    X(easy_strerror)                                                                               \
    X(multi_init)                                                                                  \
    X(multi_cleanup)                                                                               \
    X(multi_setopt)                                                                                \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_socket_action)                                                                         \
    X(multi_info_read)                                                                             \
    X(multi_strerror)

// <curl/curl.h> makes macros of these three.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct curl_functions {
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
};
extern struct curl_functions curl_functions;

// False: it is not on this machine. Cheap once it is loaded.
bool curl_library_load(struct error *err) MUST_USE;

#define curl_global_init         curl_functions.global_init
#define curl_global_cleanup      curl_functions.global_cleanup
#define curl_slist_append        curl_functions.slist_append
#define curl_slist_free_all      curl_functions.slist_free_all
#define curl_easy_init           curl_functions.easy_init
#define curl_easy_cleanup        curl_functions.easy_cleanup
#define curl_easy_setopt         curl_functions.easy_setopt
#define curl_easy_getinfo        curl_functions.easy_getinfo
#define curl_easy_perform        curl_functions.easy_perform
#define curl_easy_strerror       curl_functions.easy_strerror
#define curl_multi_init          curl_functions.multi_init
#define curl_multi_cleanup       curl_functions.multi_cleanup
#define curl_multi_setopt        curl_functions.multi_setopt
#define curl_multi_add_handle    curl_functions.multi_add_handle
#define curl_multi_remove_handle curl_functions.multi_remove_handle
#define curl_multi_socket_action curl_functions.multi_socket_action
#define curl_multi_info_read     curl_functions.multi_info_read
#define curl_multi_strerror      curl_functions.multi_strerror
