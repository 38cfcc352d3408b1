// SPDX-License-Identifier: MIT
// The claim protocol of a fleet: two nodes, one database, one job that forbids overlap, and what may go wrong between
// them. Checked exhaustively: neither time nor the number of faults is bounded, only the number of slots is.
// `scripts/test spin` first proves the rules as they are, then breaks them one by one: each break must be found.
//
// Any process may stand still for any time: a node that is stopped, a message that is on its way, an answer that is
// late. Only the runner's deadline holds time up (IS_PRESSING). Time goes in ticks: lease, margin (a quarter of
// it) and grace (a sixth) in small; how far a clock may go wrong in one lease is a part of KILL.
// Assumed, so not here: the database's clock does not jump, what the database acknowledged stays (of a standby that
// is promoted the beats may be older, nothing else), no second database takes writes.

// ---- the rules, and how each is broken ----------------------------------------------------------------------------

#ifndef TRUST_FROM_ANSWER // trust counts from when the beat's answer came, not from when the beat was sent
#define TRUST_FROM_ANSWER false
#endif
#ifndef LATE_START // a claim in hand is started although the deadline has passed
#define LATE_START false
#endif
#ifndef START_ON_UNKNOWN // a claim whose commit is unknown is started
#define START_ON_UNKNOWN false
#endif
#ifndef SETTLED_BY_READ // an unknown claim is looked up, not submitted again
#define SETTLED_BY_READ false
#endif
#ifndef NO_RUNNER // only the scheduler ends processes: a stopped or dead one ends none
#define NO_RUNNER false
#endif
#ifndef LOCK_FREE_EARLY // the file lock goes free with the scheduler, not with the last process
#define LOCK_FREE_EARLY false
#endif
#ifndef FREE_LOCK_IS_DEATH // a node whose connection broke is fenced at once
#define FREE_LOCK_IS_DEATH false
#endif
#ifndef CLAIM_BESIDE_FENCING // a claim looks whether its node lives, then writes: fencing fits in between
#define CLAIM_BESIDE_FENCING false
#endif
#ifndef END_WITHOUT_FENCE // an end is written whatever has become of the run
#define END_WITHOUT_FENCE false
#endif
#ifndef PROMOTION // a standby is promoted, once
#define PROMOTION false
#endif
#ifndef FENCE_AFTER_PROMOTION // and fences at once by the beats that it has
#define FENCE_AFTER_PROMOTION false
#endif

#define LEASE 2
#define MARGIN 1
#ifdef NO_GRACE // a node is fenced as soon as its lease has run out
#define GRACE 0
#else
#define GRACE 1
#endif
#ifdef SLOW_KILL // from the deadline to the last process gone takes longer than margin and grace
#define KILL 3
#else
#define KILL 2
#endif

#define TRUST (LEASE - MARGIN)
#define OVERDUE (LEASE + GRACE + 1)
#define NODES 2
#define SLOTS 2
#define NONE SLOTS

// ---- the database's rows ------------------------------------------------------------------------------------------

mtype:row = { FREE, STARTED, ENDED, LOST };
mtype:row row[SLOTS] = FREE; // ENDED: a skipped one as well
byte owner[SLOTS];           // of the run, while STARTED
bool live[NODES] = true;     // the node's row
byte age[NODES];             // of the node's last beat, by the database's clock; OVERDUE at most
byte primary = OVERDUE;      // for how long the database has been the primary; OVERDUE at most

// ---- a node -------------------------------------------------------------------------------------------------------

bool runs[NODES] = true; // the scheduler
byte trust[NODES];       // ticks until the deadline that the runner knows
byte has[NODES] = NONE;  // the run that the scheduler has

// What is on its way, and what the scheduler knows of it.
bool beat[NODES]; // written (the earliest moment is the worst), its answer is still to come
mtype:way = { IDLE, SENT, CHECKED, DONE, UNKNOWN };
mtype:way claim[NODES] = IDLE;
byte wants[NODES];         // the slot that is claimed
byte orphan[NODES] = NONE; // a claim of a broken connection that the server may still carry out
byte finish[NODES] = NONE; // the end of a run

// ---- the process of a run -----------------------------------------------------------------------------------------

mtype:process = { GONE, GOES, DYING };
mtype:process process[SLOTS] = GONE;
byte host[SLOTS];
byte left[SLOTS]; // ticks until it is gone, when DYING
bool was_started[SLOTS];

hidden byte i; // no part of the state
hidden mtype:way verdict;

#define HAS_NO_PROCESS(n) \
    ((process[0] == GONE || host[0] != (n)) && (process[1] == GONE || host[1] != (n)))

// Once all is decided and nothing is on its way, nothing can go wrong any more.
#define IS_IDLE(n) (claim[n] == IDLE && finish[n] == NONE && has[n] == NONE && orphan[n] == NONE)
#define IS_OPEN(s) (row[s] == FREE || row[s] == STARTED || process[s] != GONE)
#define WORK_IS_LEFT (IS_OPEN(0) || IS_OPEN(1) || !IS_IDLE(0) || !IS_IDLE(1))

// ---- transactions -------------------------------------------------------------------------------------------------

#define A_RUN_IS_STARTED (row[0] == STARTED || row[1] == STARTED)

// Each outcome is a row that a copy of the same claim finds.
inline write_claim(who, slot, is_live)
{
    if
    :: !(is_live) -> verdict = IDLE
    :: (is_live) && row[slot] == FREE && A_RUN_IS_STARTED -> row[slot] = ENDED; verdict = IDLE
    :: (is_live) && row[slot] == FREE && !A_RUN_IS_STARTED ->
        row[slot] = STARTED;
        owner[slot] = who;
        verdict = DONE
    :: (is_live) && row[slot] == STARTED && owner[slot] == who -> verdict = DONE
    :: else -> verdict = IDLE
    fi
}

inline write_end(who, slot)
{
    if
    :: row[slot] == STARTED && owner[slot] == who -> row[slot] = ENDED; owner[slot] = 0
    :: else -> assert(!END_WITHOUT_FENCE || row[slot] == ENDED) // one outcome, never another
    fi
}

inline write_fence(who)
{
    live[who] = false;
    age[who] = OVERDUE;
    for (i : 0 .. SLOTS - 1) {
        if
        :: row[i] == STARTED && owner[i] == who -> row[i] = LOST; owner[i] = 0
        :: else
        fi
    }
}

inline tidy(who)
{
    wants[who] = (claim[who] == IDLE -> 0 : wants[who])
}

// The server's side.
proctype session(byte n) provided (WORK_IS_LEFT)
{
    do
    :: atomic { claim[n] == SENT && !CLAIM_BESIDE_FENCING ->
        write_claim(n, wants[n], live[n]);
        claim[n] = verdict;
        tidy(n) }
    :: atomic { claim[n] == SENT && CLAIM_BESIDE_FENCING && live[n] -> claim[n] = CHECKED }
    :: atomic { claim[n] == CHECKED ->
        write_claim(n, wants[n], true);
        claim[n] = verdict;
        tidy(n) }
    :: atomic { orphan[n] != NONE -> write_claim(n, orphan[n], live[n]); orphan[n] = NONE }
    :: atomic { orphan[n] != NONE -> orphan[n] = NONE }
    :: atomic { finish[n] != NONE -> write_end(n, finish[n]); finish[n] = NONE }
    od
}

// ---- the scheduler ------------------------------------------------------------------------------------------------

inline start(who, slot)
{
    assert(process[0] == GONE && process[1] == GONE); // no two runs of the job at once
    assert(!was_started[slot]); // one claim, one execution
    was_started[slot] = true;
    process[slot] = GOES;
    host[slot] = who
}

// Claimed for good: started, or kept to be ended as lost.
inline take(who)
{
    if
    :: trust[who] > 0 || LATE_START -> start(who, wants[who])
    :: else
    fi;
    has[who] = wants[who];
    claim[who] = IDLE;
    tidy(who)
}

inline kill_all(who)
{
    for (i : 0 .. SLOTS - 1) {
        if
        :: process[i] == GOES && host[i] == who -> process[i] = DYING; left[i] = KILL
        :: else
        fi
    }
}

// The connection breaks, and what was on its way is carried out or not.
inline cut(who)
{
    beat[who] = false;
    if
    :: claim[who] == SENT -> orphan[who] = wants[who]; claim[who] = UNKNOWN
    :: claim[who] == DONE -> claim[who] = UNKNOWN
    :: else
    fi
}

inline die(who)
{
    cut(who);
    claim[who] = IDLE;
    tidy(who);
    has[who] = NONE;
    runs[who] = false;
    trust[who] = 0;
    if
    :: !NO_RUNNER -> kill_all(who)
    :: else
    fi
}

#define IS_OVERDUE(n) (live[n] && age[n] == OVERDUE && (primary == OVERDUE || FENCE_AFTER_PROMOTION))

proctype scheduler(byte n) provided (WORK_IS_LEFT)
{
    do
    :: atomic { runs[n] && !beat[n] && live[n] -> beat[n] = true; age[n] = 0 }
    // Sent when the row's age was 0.
    :: atomic { runs[n] && beat[n] ->
        beat[n] = false;
        trust[n] = (TRUST_FROM_ANSWER -> TRUST : (age[n] < TRUST -> TRUST - age[n] : 0)) }
    :: atomic { runs[n] && !live[n] -> die(n) } // told that it was fenced

    :: atomic { runs[n] && claim[n] == IDLE && has[n] == NONE && trust[n] > 0 && row[1] == FREE ->
        wants[n] = (row[0] == FREE -> 0 : 1);
        claim[n] = SENT }
    :: atomic { runs[n] && claim[n] == DONE -> take(n) }
    :: atomic { runs[n] && claim[n] == UNKNOWN && !SETTLED_BY_READ -> claim[n] = SENT }
    :: atomic { runs[n] && claim[n] == UNKNOWN && SETTLED_BY_READ ->
        if
        :: row[wants[n]] == STARTED && owner[wants[n]] == n -> take(n)
        :: else -> claim[n] = IDLE; tidy(n)
        fi }
    :: atomic { runs[n] && claim[n] == UNKNOWN && START_ON_UNKNOWN -> take(n) }

    :: atomic { runs[n] && has[n] != NONE && finish[n] == NONE && process[has[n]] == GONE ->
        finish[n] = has[n];
        has[n] = NONE }

    :: atomic { runs[n] && live[n] && IS_OVERDUE(1 - n) -> write_fence(1 - n) }

    // A new one on the same host, under a new id: what the old one has on its way finds a dead row.
    :: atomic { !runs[n] && (LOCK_FREE_EARLY || HAS_NO_PROCESS(n)) ->
        write_fence(n);
        live[n] = true;
        age[n] = 0;
        orphan[n] = NONE;
        finish[n] = NONE;
        runs[n] = true }
    od
}

// ---- the runner, and time -----------------------------------------------------------------------------------------

inline end(slot)
{
    process[slot] = GONE;
    host[slot] = 0;
    left[slot] = 0
}

proctype runner(byte n) provided (WORK_IS_LEFT)
{
    do
    :: atomic { trust[n] == 0 && !NO_RUNNER && !HAS_NO_PROCESS(n) -> kill_all(n) }
    :: atomic { process[0] != GONE && host[0] == n -> end(0) }
    :: atomic { process[1] != GONE && host[1] == n -> end(1) }
    od
}

// The deadline has passed and the kill is due, or the kill is over: neither waits for a tick.
#define IS_PRESSING(s) \
    ((process[s] == GOES && trust[host[s]] == 0 && !NO_RUNNER) || (process[s] == DYING && left[s] == 0))
#define IS_KNOWN(n, s) (!runs[n] || claim[n] != IDLE || has[n] == (s) || finish[n] == (s))

inline count_down(what)
{
    what = (what > 0 -> what - 1 : 0)
}

inline count_up(what)
{
    what = (what < OVERDUE -> what + 1 : OVERDUE)
}

proctype time() provided (WORK_IS_LEFT)
{
    do
    :: d_step { !IS_PRESSING(0) && !IS_PRESSING(1) ->
        for (i : 0 .. SLOTS - 1) {
            // no run stays open of which nobody knows any more
            assert(row[i] != STARTED || (live[owner[i]] && IS_KNOWN(owner[i], i)));
            count_down(left[i])
        }
        for (i : 0 .. NODES - 1) {
            count_up(age[i]);
            count_down(trust[i])
        }
        count_up(primary) }
    od
}

// ---- what goes wrong ----------------------------------------------------------------------------------------------

proctype trouble(byte n) provided (WORK_IS_LEFT)
{
    do
    :: atomic { runs[n] && !PROMOTION ->
        cut(n);
        if
        :: FREE_LOCK_IS_DEATH && runs[1 - n] && live[1 - n] -> write_fence(n)
        :: else
        fi }
    :: atomic { runs[n] && !PROMOTION -> die(n) }
    od
}

// The standby lacks the newest beats of a node. Looked at alone, which keeps the search small.
proctype promotion()
{
    atomic {
        PROMOTION;
        cut(0);
        cut(1);
        primary = 0;
        if
        :: age[0] = OVERDUE
        :: age[1] = OVERDUE
        fi
    }
}

init {
    atomic {
        run session(0);
        run session(1);
        run scheduler(0);
        run scheduler(1);
        run runner(0);
        run runner(1);
        run trouble(0);
        run trouble(1);
        run promotion();
        run time()
    }
}
