// SPDX-License-Identifier: MIT
typedef int placeholder_sqlite_store;
