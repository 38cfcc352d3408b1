// SPDX-License-Identifier: MIT
// What a start or a load has used and a process that then waits does not need any more.
#pragma once

// Gives back to the system the memory that was freed, and the pages of the program and its
// libraries that were only read: most of those that the dynamic linker, the libraries' own starts
// and a load have touched are not touched again. What is needed comes back from the page cache, at
// the price of some hundred page faults in the milliseconds afterwards.
void memory_give_back(void);
