// SPDX-License-Identifier: MIT
typedef int placeholder_node_lock;
