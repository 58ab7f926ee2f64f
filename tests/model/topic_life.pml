/* A topic is created, opened, deleted and created again, with death and stop at any step.
 *
 * Mirrors include/leat/storage/topic_log.hpp (open, open_directory, create, remove, close, remove_leftovers),
 * leftovers.hpp (make_directory, delete_directory, remove_tree, remove_dead_directories) and include/leat/os/folder.hpp (rename, leads_to,
 * try_own); steps M1 to M5 (making), O1 to O4 (opening) and X1 to X4 (deleting) of docs/protocol.md. Groups are made in the
 * same steps; how they lose their names is in group_deletion.pml.
 *
 * One name of a topic. A directory has one entry: none, a temporary name of its own (`~new-`, `~deleted-`), or the topic's name.
 * Temporary names are random, and never the same again. Who has opened a directory has it whatever its entry is. The topic file stands for
 * all files in it.
 *
 * Each atomic block is one system call or one access to shared memory; before each of them the process may die (the kernel drops its
 * flock), or, with -DSTOPS, stop for ever (it keeps it). A user opens the topic, or makes it, and works on it until it is told that it is
 * closed; then it does so again (LIVES).
 *
 * Checked: the topic's name leads to a whole topic that is not closed, or to nothing; so opening finds no half of one, and takes no
 * deleted one for it. No living topic loses a file. When create() or remove() has looked for leftovers, all topics that had lost
 * their names before it began are closed, whatever became of those who deleted them; so when remove() returns, true or
 * false, nobody works on what had the name. (In between users of a deleted topic go on for a while, as if they had done
 * so before it was deleted.) At the end, behind one more look for leftovers: whoever has opened a topic works on that which has the name,
 * or is told; there is no file left but of a maker that is stopped. `cycles`: there is no run without end, so a name can always be
 * created again.
 *
 * Run: check.sh topic_life.pml, in an empty directory.
 *
// config: -DUSERS=2 -DREMOVERS=1 -DDEATHS=1
// config: -DUSERS=1 -DREMOVERS=2 -DLIVES=2 -DDEATHS=1
// config: -DUSERS=2 -DREMOVERS=1 -DLIVES=2 -DDEATHS=0
// config: -DUSERS=1 -DREMOVERS=1 -DLIVES=2 -DSTOPS
// config: -DUSERS=2 -DREMOVERS=0 -DSTOPS -DDEATHS=1
// config: -DUSERS=3 -DREMOVERS=0 -DDEATHS=0
// cycles: -DUSERS=2 -DREMOVERS=1 -DDEATHS=0
// cycles: -DUSERS=1 -DREMOVERS=2 -DLIVES=2 -DDEATHS=0
 *
// bug: REACH_SECOND -DUSERS=2 -DREMOVERS=0 (not a bug, a state that must be reached) M4 finds the name taken
// bug: REACH_TAKEN -DUSERS=2 -DREMOVERS=0 (the same) a maker's directory is taken for a leftover before it is owned
// bug: REACH_VANISHED -DUSERS=1 -DREMOVERS=1 (the same) the topic is deleted while it is opened
// bug: REACH_CLOSED -DUSERS=1 -DREMOVERS=1 (the same) opening meets a closed topic
// bug: REACH_HELPED -DUSERS=1 -DREMOVERS=1 -DLIVES=2 -DSTOPS (the same) a topic is closed by another than who deleted it
 *
// bug: BUG_NAME_FIRST -DUSERS=2 -DREMOVERS=0 the directory is made under the topic's name
// bug: BUG_RENAME_REPLACES -DUSERS=2 -DREMOVERS=0 M4 replaces the topic of another
// bug: BUG_OWN_UNCHECKED -DUSERS=2 -DREMOVERS=0 a maker goes on though another owns its directory
// bug: BUG_NO_OWNER -DUSERS=2 -DREMOVERS=0 whoever looks for leftovers takes a directory in the making for one
// bug: BUG_TREE_BY_HANDLE -DUSERS=3 -DREMOVERS=0 -DDEATHS=0 a leftover is removed through the opened directory instead of by its name
// bug: BUG_OWN_LATE -DUSERS=2 -DREMOVERS=0 M2 comes behind M3
// bug: BUG_DELETE_IN_PLACE -DUSERS=1 -DREMOVERS=1 the files are removed under the topic's name
// bug: BUG_CLOSE_FIRST -DUSERS=1 -DREMOVERS=1 X2 before X1
// bug: BUG_NO_CLOSE -DUSERS=1 -DREMOVERS=1 X2 is left out
// bug: BUG_CLOSE_LAST -DUSERS=1 -DREMOVERS=1 X2 behind X3: after a death in between nobody can do it
// bug: BUG_LEFTOVERS_UNCLOSED -DUSERS=1 -DREMOVERS=1 the files of a dead deleter's topic are removed without X2
// bug: BUG_ONLY_THE_DEAD -DUSERS=1 -DREMOVERS=2 what a living, or stopped, deleter has is left to it
// bug: BUG_CLOSE_WHAT_WAS_OPENED -DUSERS=1 -DREMOVERS=2 -DLIVES=2 X2 in the topic that was opened before X1, not in what X1 took the name from
// bug: BUG_NAMED_BY_NAME -DUSERS=2 -DREMOVERS=1 -DLIVES=2 any topic of that name passes for the one that was opened
// bug: BUG_NO_LOOK_AT_CLOSED -DUSERS=1 -DREMOVERS=1 -DLIVES=2 users do not look at `closed`
 */

#ifndef USERS
#define USERS 2
#endif
#ifndef REMOVERS
#define REMOVERS 1
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef DEATHS
#define DEATHS (USERS + REMOVERS)
#endif
#ifndef DIRECTORIES
#define DIRECTORIES 6
#endif

#if DIRECTORIES > 7
#error before and listed are bytes
#endif

#define NONE    0
#define NEW     1
#define NAMED   2
#define DELETED 3
#define TIDIER  (USERS + REMOVERS)

byte entry[DIRECTORIES + 1];
byte file[DIRECTORIES + 1];       /* 0: none, 1: in the making, 2: whole */
bit closed[DIRECTORIES + 1];
byte owner[DIRECTORIES + 1];      /* process + 1 */

/* What processes have opened. */
byte mine[TIDIER + 1];
byte left[TIDIER + 1];

/* Not in the store: what the properties speak about, and bounds. */
bit free[DIRECTORIES + 2];
bit lost[DIRECTORIES + 1];        /* had the topic's name, and has it no more */
bit halted[USERS + REMOVERS + 1];
byte over;                        /* users and removers that have finished, died or stopped, or will only be told */
byte deaths = DEATHS;

#ifdef STOPS
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: deaths > 0 -> goto halt :: true fi;
#else
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: true fi;
#endif
#define END }

/* The directory that has the topic's name, or 0. */
inline lookup(x) {
	x = 1;
	do
	:: x > DIRECTORIES -> x = 0; break
	:: x <= DIRECTORIES && entry[x] == NAMED -> break
	:: else -> x++
	od
}

/* One that nobody has, and that never had the name. */
inline new_directory(x) {
	for (j : 1 .. DIRECTORIES) { free[j] = (entry[j] == NONE && !lost[j]) }
	for (j : 0 .. TIDIER) { free[mine[j]] = 0; free[left[j]] = 0 }
	j = 1;
	do
	:: j > DIRECTORIES -> assert(false)
	:: j <= DIRECTORIES && free[j] -> x = j; file[j] = 0; break
	:: else -> j++
	od;
	for (j : 0 .. DIRECTORIES) { free[j] = 0 }
	j = 0
}

inline drop_locks(me) {
	for (j : 1 .. DIRECTORIES) {
		if
		:: owner[j] == me + 1 -> owner[j] = 0
		:: else
		fi
	}
	j = 0
}

#ifdef BUG_NO_CLOSE
#define SET_CLOSED(x) skip
#else
#define SET_CLOSED(x) if :: file[x] != 0 -> CLOSED_BY_WHOM(x); closed[x] = 1 :: else fi
#endif
#ifdef REACH_HELPED
#define CLOSED_BY_WHOM(x) assert(closed[x] || deleter[x] == me + 1)
byte deleter[DIRECTORIES + 1];
#else
#define CLOSED_BY_WHOM(x) skip
#endif

/* remove_tree of directory d under the temporary name that it has as a `kind`. */
#ifdef BUG_TREE_BY_HANDLE
#define LEADS(x, kind) (entry[x] != NONE)
#else
#define LEADS(x, kind) (entry[x] == kind)
#endif
#define TREE(L, x, kind) \
	STEP(L##_files) \
		if \
		:: LEADS(x, kind) -> assert(entry[x] != NAMED); file[x] = 0 \
		:: else \
		fi \
	END \
	STEP(L##_rmdir) \
		if \
		:: entry[x] == kind && file[x] == 0 -> entry[x] = NONE \
		:: entry[x] == kind && file[x] != 0 -> goto L##_files \
		:: else \
		fi \
	END

/* remove_leftovers. `before`: the topics that had lost their names when it began. */
#ifdef BUG_ONLY_THE_DEAD
#define NEEDS_OWNER true
#else
#define NEEDS_OWNER (kind == NEW)
#endif
#define LEFTOVERS(L, next) \
	STEP(L##_list) \
		before = 0; \
		for (j : 1 .. DIRECTORIES) { \
			if :: lost[j] -> before = before | (1 << j) :: else fi; \
			if :: entry[j] == NEW || entry[j] == DELETED -> listed = listed | (1 << j) :: else fi \
		} \
		j = 0; left[me] = 0 \
	END \
L##_each: atomic { \
		left[me]++; \
		do \
		:: left[me] > DIRECTORIES -> break \
		:: left[me] <= DIRECTORIES && (listed & (1 << left[me])) -> listed = listed & ~(1 << left[me]); break \
		:: else -> left[me]++ \
		od; \
		if \
		:: left[me] > DIRECTORIES -> left[me] = 0; goto L##_done \
		:: else \
		fi \
	} \
	STEP(L##_open) \
		kind = entry[left[me]]; \
		if \
		:: kind != NEW && kind != DELETED -> goto L##_each \
		:: else \
		fi \
	END \
	STEP(L##_own) \
		if \
		:: NEEDS_OWNER && OWNED_BY_ANOTHER(left[me]) -> goto L##_each \
		:: NEEDS_OWNER && !OWNED_BY_ANOTHER(left[me]) -> owner[left[me]] = me + 1 \
		:: else \
		fi \
	END \
	if \
	:: kind == NEW -> goto L##_tree_new_files \
	:: else \
	fi; \
	LEFTOVERS_CLOSE(L) \
	TREE(L##_tree, left[me], DELETED) \
	goto L##_unlock; \
	TREE(L##_tree_new, left[me], NEW) \
	STEP(L##_unlock) \
		if \
		:: owner[left[me]] == me + 1 -> owner[left[me]] = 0 \
		:: else \
		fi; \
		goto L##_each \
	END \
L##_done: atomic { \
		for (j : 1 .. DIRECTORIES) { assert(!(before & (1 << j)) || closed[j]) } \
		j = 0; before = 0; left[me] = 0; kind = 0; \
		goto next \
	}
#ifdef BUG_NO_OWNER
#define OWNED_BY_ANOTHER(x) false
#else
#define OWNED_BY_ANOTHER(x) (owner[x] != 0 && owner[x] != me + 1)
#endif
#ifdef BUG_LEFTOVERS_UNCLOSED
#define LEFTOVERS_CLOSE(L)
#else
#define LEFTOVERS_CLOSE(L) STEP(L##_close) SET_CLOSED(left[me]) END
#endif

#define ENDS \
dead:	atomic { deaths--; drop_locks(me); goto ended } \
halt:	atomic { deaths--; halted[me] = 1; goto ended } \
ended:	atomic { over++; goto last }

/* open_or_create, and work until told. */
proctype user(byte me) {
	byte j, kind, before, listed, lives = LIVES;

open:
	STEP(O1) lookup(mine[me]) END
	if
	:: mine[me] == 0 -> goto create
	:: else
	fi;
	STEP(O2)
		if
		:: file[mine[me]] != 0 -> goto O3
		:: else
		fi
	END
	/* No topic file: then it has been deleted. */
	STEP(O2_named)
#ifdef REACH_VANISHED
		assert(false);
#endif
#ifdef BUG_NAMED_BY_NAME
		for (j : 1 .. DIRECTORIES) { assert(entry[j] != NAMED) }
		j = 0;
#else
		assert(entry[mine[me]] != NAMED);
#endif
		mine[me] = 0; goto open
	END
	STEP(O3)
		assert(file[mine[me]] != 1);   /* not half a header */
		if
		:: file[mine[me]] == 0 -> mine[me] = 0; goto open
		:: else
		fi
	END
	STEP(O4)
		if
		:: !closed[mine[me]] -> over++; goto work
		:: else
		fi
	END
	STEP(O4_named)
#ifdef REACH_CLOSED
		assert(false);
#endif
		assert(entry[mine[me]] != NAMED); mine[me] = 0; goto open
	END

	/* An operation on the topic, or a sleep in which it will be waked. */
work:	if
#ifndef BUG_NO_LOOK_AT_CLOSED
	:: atomic { closed[mine[me]] ->
			mine[me] = 0; lives--;
			if
			:: lives == 0 -> goto last
			:: else -> over--; goto open
			fi
		}
	:: atomic { over == USERS + REMOVERS + 1 && !closed[mine[me]] -> assert(entry[mine[me]] == NAMED) }   /* the end of the run */
#else
	:: atomic { over == USERS + REMOVERS + 1 -> assert(entry[mine[me]] == NAMED) }
#endif
	fi;
	goto last;

create:
	LEFTOVERS(create_left, M1)
	STEP(M1)
		new_directory(mine[me]);
#ifdef BUG_NAME_FIRST
		lookup(j);
		if
		:: j != 0 -> j = 0; mine[me] = 0; goto open
		:: else -> entry[mine[me]] = NAMED
		fi
#else
		entry[mine[me]] = NEW
#endif
	END
#ifndef BUG_OWN_LATE
	STEP(M2)
		if
		:: entry[mine[me]] == NONE || (owner[mine[me]] != 0 && owner[mine[me]] != me + 1) ->
#ifdef REACH_TAKEN
			assert(false);
#endif
#ifndef BUG_OWN_UNCHECKED
			mine[me] = 0; goto M1
#endif
		:: else -> owner[mine[me]] = me + 1
		fi
	END
#endif
	STEP(M3)
		if
		:: entry[mine[me]] == NONE -> drop_locks(me); mine[me] = 0; goto M1
		:: else -> file[mine[me]] = 1
		fi
	END
	STEP(M3_header)
		if
		:: file[mine[me]] == 1 -> file[mine[me]] = 2
		:: else      /* into a file without a name */
		fi
	END
#ifdef BUG_OWN_LATE
	STEP(M2_late)
		if
		:: entry[mine[me]] == NONE || (owner[mine[me]] != 0 && owner[mine[me]] != me + 1) -> mine[me] = 0; goto M1
		:: else -> owner[mine[me]] = me + 1
		fi
	END
#endif
#ifndef BUG_NAME_FIRST
	STEP(M4)
		if
		:: entry[mine[me]] == NONE -> drop_locks(me); mine[me] = 0; goto M1
		:: else
		fi;
		lookup(j);
		if
#ifdef BUG_RENAME_REPLACES
		:: j != 0 -> entry[j] = NONE; lost[j] = 1; j = 0; entry[mine[me]] = NAMED
#else
		:: j != 0 ->
#ifdef REACH_SECOND
			assert(false);
#endif
			j = 0; goto M5_files
#endif
		:: else -> assert(file[mine[me]] == 2); entry[mine[me]] = NAMED
		fi
	END
	goto named;
	TREE(M5, mine[me], NEW)
#endif
	STEP(named) drop_locks(me); mine[me] = 0; goto open END

	ENDS
last:	atomic {
		mine[me] = 0; left[me] = 0; j = 0; kind = 0; before = 0; listed = 0; lives = 0
	}
}

/* remove() */
proctype remover(byte me) {
	byte j, kind, before, listed, other;

#ifdef BUG_CLOSE_WHAT_WAS_OPENED
	STEP(opened) lookup(other) END
	if
	:: other == 0 -> goto look
	:: else
	fi;
#endif
#ifdef BUG_CLOSE_FIRST
	STEP(X0) lookup(mine[me]) END
	if
	:: mine[me] == 0 -> goto look
	:: else
	fi;
	STEP(X2_first) SET_CLOSED(mine[me]) END
#endif
#ifdef BUG_DELETE_IN_PLACE
	STEP(X0) lookup(mine[me]) END
	if
	:: mine[me] == 0 -> goto look
	:: else
	fi;
	STEP(X2_first) SET_CLOSED(mine[me]) END
	STEP(X3_first) if :: entry[mine[me]] == NAMED -> file[mine[me]] = 0 :: else fi END
#endif
	STEP(X1)
		lookup(mine[me]);
		if
		:: mine[me] == 0 -> goto look
		:: else -> entry[mine[me]] = DELETED; lost[mine[me]] = 1
#ifdef REACH_HELPED
			; deleter[mine[me]] = me + 1
#endif
		fi
	END
#ifdef BUG_ONLY_THE_DEAD
	STEP(X1_own)
		if
		:: owner[mine[me]] == 0 -> owner[mine[me]] = me + 1
		:: else
		fi
	END
#endif
#ifdef BUG_CLOSE_WHAT_WAS_OPENED
	STEP(X2) SET_CLOSED(other) END
#else
#ifndef BUG_CLOSE_LAST
	STEP(X2) SET_CLOSED(mine[me]) END
#endif
#endif
	TREE(X3, mine[me], DELETED)
#ifdef BUG_CLOSE_LAST
	STEP(X2) SET_CLOSED(mine[me]) END
#endif
	STEP(X3_unlock) drop_locks(me) END
look:
	LEFTOVERS(X4, ended)

	ENDS
last:	atomic { mine[me] = 0; left[me] = 0; j = 0; kind = 0; before = 0; listed = 0; other = 0 }
}

/* When nothing moves any more: one more look, and the rest is in order. */
proctype tidier(byte me) {
	byte j, kind, before, listed;

	over == USERS + REMOVERS;
#undef STEP
#define STEP(label) label: atomic {
	LEFTOVERS(tidy, check)
check:	atomic {
		/* Who was told just now goes on, and may die. */
		over == USERS + REMOVERS;
		for (j : 1 .. DIRECTORIES) {
			if
			:: entry[j] == DELETED || (entry[j] == NEW && (owner[j] == 0 || !halted[owner[j] - 1])) -> kind = 1
			:: else
			fi;
			assert(entry[j] != NAMED || (file[j] == 2 && !closed[j]));
			assert(!lost[j] || closed[j])
		}
		j = 0;
		if
		:: kind -> kind = 0; goto tidy_list
		:: else -> over++
		fi
	}
}

init {
	byte i;
	atomic {
		for (i : 0 .. USERS - 1) { run user(i) }
		if
		:: REMOVERS > 0 -> for (i : USERS .. USERS + REMOVERS - 1) { run remover(i) }
		:: else
		fi;
		run tidier(TIDIER);
		i = 0
	}
}
