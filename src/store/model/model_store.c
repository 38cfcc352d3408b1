// SPDX-License-Identifier: MIT
typedef int placeholder_model_store;
