/* The lifecycle once more, written independently in Promela and checked by SPIN: one subsystem
 * slot, one namespace that comes and goes, two poll groups, three requests, a drive that stalls or
 * vanishes. Only the tables are those of the core: spin_test.cpp compares their names and edges.
 *
 * Safety (assertions, no process stuck): one answer per request, no I/O past a closed or quiesced
 * gate, no crossing of incarnations, a quiesce that is promised holds, no drive for two.
 * Liveness (`ends`): under weak fairness every change ends, although the drive may never answer.
 */
#define GROUPS 2
#define REQUESTS 3
#ifndef OPERATIONS
#define OPERATIONS 1    /* that operators ask for; losses come on top */
#endif

/* ---- tables: subsystem ---- */
mtype:subsystem = { s_inactive, s_activating, s_active, s_pausing, s_paused, s_resuming,
                    s_deactivating };
mtype:subsystem_event = { s_on_start, s_on_pause, s_on_resume, s_on_stop, s_on_done, s_on_failed };
inline subsystem_next(state, on) {
    if
    :: state == s_inactive && on == s_on_start -> state = s_activating
    :: state == s_activating && on == s_on_done -> state = s_active
    :: state == s_activating && on == s_on_failed -> state = s_deactivating
    :: state == s_active && on == s_on_pause -> state = s_pausing
    :: state == s_active && on == s_on_stop -> state = s_deactivating
    :: state == s_pausing && on == s_on_done -> state = s_paused
    :: state == s_pausing && on == s_on_failed -> state = s_resuming
    :: state == s_paused && on == s_on_resume -> state = s_resuming
    :: state == s_paused && on == s_on_stop -> state = s_deactivating
    :: state == s_resuming && on == s_on_done -> state = s_active
    :: state == s_resuming && on == s_on_failed -> state = s_paused
    :: state == s_deactivating && on == s_on_done -> state = s_inactive
    :: else -> assert(false)
    fi
}

/* ---- tables: namespace ---- */
mtype:namespace = { n_absent, n_attaching, n_ready, n_quiescing, n_quiesced, n_lost, n_detaching };
mtype:namespace_event = { n_on_attach, n_on_quiesce, n_on_open, n_on_lose, n_on_detach, n_on_done,
                          n_on_failed };
inline namespace_next(state, on) {
    if
    :: state == n_absent && on == n_on_attach -> state = n_attaching
    :: state == n_attaching && on == n_on_done -> state = n_ready
    :: state == n_attaching && on == n_on_failed -> state = n_detaching
    :: state == n_attaching && on == n_on_lose -> state = n_lost
    :: state == n_ready && on == n_on_quiesce -> state = n_quiescing
    :: state == n_ready && on == n_on_lose -> state = n_lost
    :: state == n_ready && on == n_on_detach -> state = n_detaching
    :: state == n_quiescing && on == n_on_done -> state = n_quiesced
    :: state == n_quiescing && on == n_on_failed -> state = n_ready
    :: state == n_quiescing && on == n_on_lose -> state = n_lost
    :: state == n_quiescing && on == n_on_detach -> state = n_detaching
    :: state == n_quiesced && on == n_on_open -> state = n_ready
    :: state == n_quiesced && on == n_on_lose -> state = n_lost
    :: state == n_quiesced && on == n_on_detach -> state = n_detaching
    :: state == n_lost && on == n_on_attach -> state = n_attaching
    :: state == n_lost && on == n_on_detach -> state = n_detaching
    :: state == n_detaching && on == n_on_done -> state = n_absent
    :: else -> assert(false)
    fi
}

/* ---- tables: gate ---- */
mtype:gate = { g_closed, g_open, g_quiesced, g_waiting_for_device };
mtype:gate_event = { g_on_open, g_on_quiesce, g_on_restore, g_on_hold, g_on_close };
inline gate_next(state, on) {
    if
    :: state == g_closed && on == g_on_open -> state = g_open
    :: state == g_closed && on == g_on_restore -> state = g_quiesced
    :: state == g_open && on == g_on_quiesce -> state = g_quiesced
    :: state == g_open && on == g_on_hold -> state = g_waiting_for_device
    :: state == g_open && on == g_on_close -> state = g_closed
    :: state == g_quiesced && on == g_on_open -> state = g_open
    :: state == g_quiesced && on == g_on_hold -> state = g_waiting_for_device
    :: state == g_quiesced && on == g_on_close -> state = g_closed
    :: state == g_waiting_for_device && on == g_on_open -> state = g_open
    :: state == g_waiting_for_device && on == g_on_restore -> state = g_quiesced
    :: state == g_waiting_for_device && on == g_on_close -> state = g_closed
    :: else -> skip /* an event without an edge changes nothing */
    fi
}

/* ---- tables: request ---- */
mtype:request = { r_idle, r_received, r_paired, r_parked, r_awaiting_buffer, r_awaiting_data,
                  r_awaiting_range, r_executing, r_answering };
mtype:request_event = { r_on_arrive, r_on_pair, r_on_park, r_on_replay, r_on_want_buffer,
                        r_on_want_data, r_on_want_range, r_on_execute, r_on_answer, r_on_sent };
inline request_next(state, on) {
    if
    :: state == r_idle && on == r_on_arrive -> state = r_received
    :: state == r_received && on == r_on_pair -> state = r_paired
    :: state == r_received && on == r_on_park -> state = r_parked
    :: state == r_received && on == r_on_want_buffer -> state = r_awaiting_buffer
    :: state == r_received && on == r_on_want_data -> state = r_awaiting_data
    :: state == r_received && on == r_on_want_range -> state = r_awaiting_range
    :: state == r_received && on == r_on_execute -> state = r_executing
    :: state == r_received && on == r_on_answer -> state = r_answering
    :: state == r_paired && on == r_on_replay -> state = r_received
    :: state == r_paired && on == r_on_want_data -> state = r_awaiting_data
    :: state == r_paired && on == r_on_want_range -> state = r_awaiting_range
    :: state == r_paired && on == r_on_execute -> state = r_executing
    :: state == r_paired && on == r_on_answer -> state = r_answering
    :: state == r_parked && on == r_on_replay -> state = r_received
    :: state == r_parked && on == r_on_answer -> state = r_answering
    :: state == r_awaiting_buffer && on == r_on_pair -> state = r_paired
    :: state == r_awaiting_buffer && on == r_on_want_data -> state = r_awaiting_data
    :: state == r_awaiting_buffer && on == r_on_want_range -> state = r_awaiting_range
    :: state == r_awaiting_buffer && on == r_on_execute -> state = r_executing
    :: state == r_awaiting_buffer && on == r_on_answer -> state = r_answering
    :: state == r_awaiting_data && on == r_on_pair -> state = r_paired
    :: state == r_awaiting_data && on == r_on_want_range -> state = r_awaiting_range
    :: state == r_awaiting_data && on == r_on_execute -> state = r_executing
    :: state == r_awaiting_data && on == r_on_answer -> state = r_answering
    :: state == r_awaiting_range && on == r_on_execute -> state = r_executing
    :: state == r_awaiting_range && on == r_on_answer -> state = r_answering
    :: state == r_executing && on == r_on_answer -> state = r_answering
    :: state == r_answering && on == r_on_sent -> state = r_idle
    :: else -> assert(false)
    fi
}
/* ---- end of tables ---- */

mtype:act = { open_all, quiesce_all, close_all, attach, detach, lose };

mtype:subsystem sub = s_active;
mtype:namespace ns = n_ready;
byte incarnation = 1;   /* of the namespace; the host means the one that it finds */
bool busy;              /* a change is on its way */
bool stalled, vanished; /* the drive */
byte failures = 1;      /* poll groups that may fail to do their part */

typedef side {
    mtype:gate gate;
    bool view_quiesced;
    byte incarnation;
    byte inside, parked, abandoned;
    bool gives_up;
    byte late;          /* the transition whose deadline has passed */
};
side at[GROUPS];
chan ask[GROUPS] = [1] of { mtype:act, byte };
chan ack = [GROUPS] of { byte, bool, byte };

byte answers[REQUESTS];
byte there[REQUESTS];   /* the incarnation whose operation is at the drive, or 0 */

inline nothing_at_drive() {
    assert(there[0] == 0 && there[1] == 0 && there[2] == 0)
}

/* ---- one question to both poll groups, and its deadline ---- */
byte transition, missing, left_behind;
bool failed, told;
chan question = [0] of { mtype:act };
chan answer = [0] of { bool };
inline fan_out(what) { question!what; answer?failed }

active proctype asker() {
    mtype:act what;
    byte t, more;
    bool ok, bad;
end_idle:
    do
    :: question?what ->
        atomic {
            transition++; missing = GROUPS; left_behind = 0; bad = false; told = false;
            ask[0]!what, transition; ask[1]!what, transition
        }
        do
        :: missing == 0 -> break
        :: atomic { ack?t, ok, more ->
            assert(t == transition);
            missing--; left_behind = left_behind + more;
            bad = (bad || !ok) }
#ifndef NO_DEADLINE
        :: atomic { missing > 0 && !told ->   /* the deadline: whenever it likes */
            told = true; at[0].late = transition; at[1].late = transition }
#endif
        od;
        answer!bad
    od
}

active proctype control() {
    byte operations;
    do
    :: operations == OPERATIONS -> break
    :: operations < OPERATIONS && sub == s_active ->   /* pause */
        operations++; busy = true;
        subsystem_next(sub, s_on_pause);
        fan_out(quiesce_all);
        if
        :: failed ->
            subsystem_next(sub, s_on_failed);
            fan_out(open_all);
            subsystem_next(sub, s_on_done)
        :: else ->
            atomic {
                subsystem_next(sub, s_on_done);
                if
                :: left_behind == 0 && ns == n_ready -> nothing_at_drive()
                :: else
                fi
            }
        fi;
        busy = false
    :: operations < OPERATIONS && sub == s_paused ->   /* resume */
        operations++; busy = true;
        subsystem_next(sub, s_on_resume);
        fan_out(open_all);
        if
        :: failed -> fan_out(quiesce_all); subsystem_next(sub, s_on_failed)
        :: else -> subsystem_next(sub, s_on_done)
        fi;
        busy = false
    :: operations < OPERATIONS && (ns == n_ready || ns == n_lost) ->   /* remove the namespace */
        operations++; busy = true;
        namespace_next(ns, n_on_detach);
        fan_out(detach);
        atomic {
            namespace_next(ns, n_on_done);
            if
            :: left_behind == 0 -> nothing_at_drive()
            :: else
            fi
        };
        busy = false
    :: atomic { operations < OPERATIONS && ns == n_absent && !vanished &&
                sub != s_inactive && there[0] + there[1] + there[2] == 0 ->   /* the claim */
        operations++; busy = true; incarnation++ };
        namespace_next(ns, n_on_attach);
        fan_out(attach);
        if
        :: failed ->
            namespace_next(ns, n_on_failed);
            fan_out(detach)
        :: else
        fi;
        namespace_next(ns, n_on_done);
        busy = false
    :: vanished && ns == n_ready ->                    /* the loss */
        busy = true;
        namespace_next(ns, n_on_lose);
        fan_out(lose);
        busy = false
    :: operations < OPERATIONS && (sub == s_active || sub == s_paused) ->   /* delete */
        operations++; busy = true;
        subsystem_next(sub, s_on_stop);
        fan_out(close_all);
        atomic {
            subsystem_next(sub, s_on_done);
            ns = n_absent;
            if
            :: left_behind == 0 -> nothing_at_drive()
            :: else
            fi
        };
        busy = false
    :: operations < OPERATIONS && sub == s_inactive ->  /* create: another one in its place */
        operations++; busy = true;
        subsystem_next(sub, s_on_start);
        fan_out(open_all);
        if
        :: failed ->
            subsystem_next(sub, s_on_failed);
            fan_out(close_all);
            subsystem_next(sub, s_on_done)
        :: else -> subsystem_next(sub, s_on_done)
        fi;
        busy = false
    od;
    /* Operators have finished; a loss is still heard of. */
end_quiet:
    do
    :: vanished && ns == n_ready ->
        busy = true;
        namespace_next(ns, n_on_lose);
        fan_out(lose);
        busy = false
    od
}

/* ---- a poll group ---- */
#define mine at[me]
inline may_fail() {
    if
    :: failures > 0 -> failures--; fine = false
    :: fine = true
    fi
}

proctype poll_group(byte me) {
    mtype:act what;
    byte t, left;
    bool fine, waits;
end_idle:
    do
    :: atomic { ask[me]?what, t ->
        fine = true; waits = false; left = 0; mine.gives_up = false;
        if
        :: what == open_all ->
            may_fail();
            if
            :: fine ->
                mine.view_quiesced = false;
                if
                :: mine.gate == g_quiesced -> gate_next(mine.gate, g_on_open)
                :: else
                fi
            :: else
            fi
        :: what == quiesce_all ->
            may_fail();
            if
            :: fine -> mine.view_quiesced = true; gate_next(mine.gate, g_on_quiesce);
                waits = (mine.gate == g_open || mine.gate == g_quiesced)
            :: else
            fi
        :: what == attach ->
            may_fail();
            if
            :: fine ->
                assert(mine.inside == 0 && mine.parked == 0);
                mine.incarnation = incarnation;
                if
                :: mine.view_quiesced -> gate_next(mine.gate, g_on_restore)
                :: else -> gate_next(mine.gate, g_on_open)
                fi
            :: else
            fi
        :: what == close_all -> mine.view_quiesced = false;
            gate_next(mine.gate, g_on_close); waits = true
        :: what == detach -> gate_next(mine.gate, g_on_close); waits = true
        :: what == lose -> gate_next(mine.gate, g_on_close); mine.gives_up = true
        :: what == lose -> gate_next(mine.gate, g_on_hold); mine.gives_up = true  /* policy */
        fi
        }
        /* What is parked behind a closed gate is answered before the group goes on. */
        (mine.gate != g_closed || mine.parked == 0);
        if
        :: what == lose -> (mine.inside == 0)
        :: waits ->
            do
            :: mine.inside == 0 && (mine.abandoned == 0 || mine.gives_up) -> break
            :: mine.late == t && !mine.gives_up -> mine.gives_up = true
            od
        :: else
        fi;
        atomic {
            if
            :: waits -> left = mine.abandoned
            :: else
            fi;
            mine.gives_up = false;
            ack!t, fine, left
        }
    od
}

/* ---- a command of a host ---- */
inline answered() {
    request_next(state, r_on_answer);
    answers[r]++;
    assert(answers[r] == 1)
}

proctype command(byte r; byte me) {
    mtype:request state = r_idle;
    byte meant;
    atomic {
        request_next(state, r_on_arrive);
        meant = mine.incarnation
    };
admission:
    atomic {
        if
        :: meant != mine.incarnation || mine.gate == g_closed -> answered(); goto sending
        :: meant == mine.incarnation && (mine.gate == g_quiesced || mine.gate == g_waiting_for_device) ->
            request_next(state, r_on_park); mine.parked++
        :: meant == mine.incarnation && mine.gate == g_open ->
            request_next(state, r_on_execute); mine.inside++;
            assert(sub != s_paused || busy);
            assert(sub != s_inactive && ns != n_absent);
            assert(mine.incarnation == incarnation);
            there[r] = meant;
            goto executing
        fi
    };
end_parked:
    atomic {
        if
        :: mine.gate == g_open ->
            assert(meant == mine.incarnation);
            mine.parked--; request_next(state, r_on_replay); goto admission
        :: mine.gate == g_closed -> mine.parked--; answered(); goto sending
        :: mine.gate == g_waiting_for_device -> mine.parked--; answered(); goto sending  /* waited too long */
        fi
    };
executing:
end_executing:
    atomic {
        if
        :: !stalled -> there[r] = 0; mine.inside--; answered(); goto sending
        :: mine.gives_up -> mine.inside--; mine.abandoned++; answered()
        fi
    };
    request_next(state, r_on_sent);
end_abandoned:
    atomic { !stalled -> there[r] = 0; mine.abandoned--; goto over };
sending:
    request_next(state, r_on_sent);
over:
    skip
}

/* ---- the drive: answers, or falls silent for a while or for ever, or vanishes ---- */
active proctype drive() {
end_as_it_is:
    if
    :: stalled = true;
        if
        :: stalled = false
        :: skip
        fi
    :: vanished = true
    :: skip
    fi
}

init {
    atomic {
        at[0].gate = g_open; at[1].gate = g_open;
        at[0].incarnation = 1; at[1].incarnation = 1;
        run poll_group(0); run poll_group(1);
#ifdef FEW /* liveness is dearer: one command */
        run command(0, 0)
#else
        run command(0, 0); run command(1, 0); run command(2, 1)
#endif
    }
}

ltl ends { [] (busy -> <> !busy) }
