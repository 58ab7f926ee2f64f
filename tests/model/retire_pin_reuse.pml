/* Retiring, pinning, reusing and opening of segment files, with death at any step.
 *
 * Mirrors steps P1 to P4, R1 to R3, N1 to N6 and, for the rolls that drive them, S3 to S6 of docs/protocol.md; in code
 * include/leat/storage/partition.hpp (P), include/leat/storage/preparation.hpp (R, N), include/leat/storage/pins.hpp and
 * include/leat/os/lock_file.hpp (the locks), and the opening in include/leat/storage/appender.hpp and cursor.hpp.
 *
 * Each atomic block is one access to shared memory or one system call; before each of them the process may die, and the
 * kernel then drops its locks. P4 is one step with P3, since a file's header is written only by the holder of the exclusive
 * lock on its name, which the pin excludes (asserted where it is written).
 *
 * Two producers append FIRST and SECOND records; a segment has one slot, so each record needs a roll, and each roll needs
 * a file. KEEP segments stay. A reader (-DREADER) follows from the log start, or (-DAT=s) pins segment s once, at any time;
 * a tidier (-DTIDIER) removes leftovers once, as a producer that opens the partition does. -DDEATHLESS: nobody dies. Seals
 * and slots beyond the first are in append_seal_roll.pml.
 *
 * Bounded: the number of records. Everything in the steps is relative: a name is not made, live, retired, lost, or late.
 * The configurations let one producer stop anywhere while the other makes, fills, retires, unlinks or reuses the segments
 * before, at and behind the one that the first is at work on: a full turn in the life of a name and of a file. REACH_...
 * checks that these are reached. Memory is sequentially consistent here.
 *
 * Nobody waits for another, and a step back is taken only where another went forward: `cycles` checks that there is no run
 * without end. Together with the end states: survivors always finish.
 *
 * Run: check.sh retire_pin_reuse.pml, in an empty directory.
 *
// config: -DFIRST=3 -DSECOND=2
// config: -DFIRST=2 -DSECOND=1 -DREADER
// config: -DFIRST=3 -DSECOND=1 -DREADER -DAT=1
// config: -DFIRST=2 -DSECOND=1 -DTIDIER
// config: -DFIRST=3 -DSECOND=2 -DKEEP=2
// cycles: -DFIRST=2 -DSECOND=2
 *
// bug: REACH_REUSE -DFIRST=3 -DSECOND=1 (not a bug, a state that must be reached) a file that was renamed twice
// bug: REACH_LATE -DFIRST=3 -DSECOND=1 (the same) a late name
// bug: REACH_UNLINK_PINNED -DFIRST=3 -DSECOND=1 (the same) a pinned file loses its name
// bug: REACH_SOURCE_GONE -DFIRST=3 -DSECOND=1 (the same) a spare loses its name while it is prepared
 *
// bug: BUG_CHECK_BEFORE_OPEN -DFIRST=3 -DSECOND=1 -DREADER -DAT=1 -DDEATHLESS the start is checked before the open, and not behind it
// bug: BUG_SKIP_P3 -DFIRST=2 -DSECOND=2 a pin without the check
// bug: BUG_REUSE_WITHOUT_LOCK -DFIRST=2 -DSECOND=2 a retired file is taken although it is pinned
// bug: BUG_OWN_PIN -DFIRST=2 -DSECOND=2 the kernel turns the process's own shared lock into the exclusive one
// bug: BUG_REUSE_UNRETIRED -DFIRST=2 -DSECOND=2 a spare is taken from sealed segments that are not retired
// bug: BUG_RENAME_REPLACES -DFIRST=2 -DSECOND=2 N5 replaces the file of another that was faster
// bug: BUG_UNLOCK_BEFORE_RENAME -DFIRST=2 -DSECOND=2 the exclusive lock is given back between N3 and N5
// bug: BUG_CLEAR_AFTER_RENAME -DFIRST=2 -DSECOND=2 N2 and N3 behind N5
// bug: BUG_SKIP_N4 -DFIRST=3 -DSECOND=1 no pin on the name that is given in N5
// bug: BUG_KEEP_LATE -DFIRST=3 -DSECOND=1 the start is not checked after the rename
// bug: BUG_RECLAIMED_PAST -DFIRST=2 -DSECOND=2 reclaimed is raised past names that others still hold
// bug: BUG_START_STORE -DFIRST=2 -DSECOND=2 start_sequence is stored instead of raised
 */

#ifndef FIRST
#define FIRST 3
#endif
#ifndef SECOND
#define SECOND 1
#endif
#ifndef KEEP
#define KEEP 1
#endif
#ifndef FILES
#define FILES 6
#endif
#define NAMES (FIRST + SECOND + 1)
#define PROCESSES 4     /* two producers, the reader, the tidier */
#define UNSET 255

/* The kernel's: locks, names, files. A file is a number from 1; it is gone when nothing leads to it. */
byte shared[NAMES];     /* a bit for each process */
byte exclusive[NAMES];  /* process + 1 */
byte name[NAMES];       /* file */
bit temporary[FILES + 1];
byte mapped[PROCESSES * 3];   /* files that each process uses: its head, the one being opened, the one being prepared */
#define HEAD(p)   mapped[(p) * 3]
#define OPENED(p) mapped[(p) * 3 + 1]
#define SPARE(p)  mapped[(p) * 3 + 2]

/* The files' contents: header, and one slot that holds the number of the segment it was published in, + 1. */
byte sequence[FILES + 1];
byte base[FILES + 1];
byte slot[FILES + 1];

/* The partition's words. */
byte begun, start_offset, start_sequence, reclaimed;

/* Not in shared memory: what the properties speak about. */
bit lost[NAMES];        /* this name was taken away once */
bit pinned[PROCESSES];  /* OPENED(p) is a segment that p has pinned, by all rules */
byte finished, deaths;
#ifdef REACH_REUSE
byte lives[FILES + 1];
#endif

#ifdef DEATHLESS
#define STEP(label) label: atomic {
#else
#define STEP(label) label: atomic { if :: goto dead :: true fi;
#endif
#define END }
#define BIT(p) (1 << (p))

/* What nothing leads to any more is gone; forgotten here, so that equal states look equal. */
inline collect() {
	d_step {
		f = 1;
		do
		:: f <= FILES ->
			j = 0; found = temporary[f];
			do
			:: j < NAMES && name[j] == f -> found = 1; break
			:: j < NAMES && name[j] != f -> j++
			:: j >= NAMES -> break
			od;
			j = 0;
			do
			:: j < PROCESSES * 3 && mapped[j] == f -> found = 1; break
			:: j < PROCESSES * 3 && mapped[j] != f -> j++
			:: j >= PROCESSES * 3 -> break
			od;
			if
			:: !found -> sequence[f] = 0; base[f] = 0; slot[f] = 0
#ifdef REACH_REUSE
				; lives[f] = 0
#endif
			:: else
			fi;
			f++
		:: f > FILES -> break
		od;
		f = 0; j = 0; found = 0
	}
}

/* A new file; one that nothing leads to has base 0 there and no name. */
inline create(me, q) {
	d_step {
		f = 1;
		do
		:: f > FILES -> break
		:: f <= FILES ->
			j = 0; found = temporary[f];
			do
			:: j < NAMES && name[j] == f -> found = 1; break
			:: j < NAMES && name[j] != f -> j++
			:: j >= NAMES -> break
			od;
			j = 0;
			do
			:: j < PROCESSES * 3 && mapped[j] == f -> found = 1; break
			:: j < PROCESSES * 3 && mapped[j] != f -> j++
			:: j >= PROCESSES * 3 -> break
			od;
			if
			:: found -> f++
			:: else -> break
			fi
		od;
		assert(f <= FILES);
		SPARE(me) = f; temporary[f] = 1; slot[f] = 0; base[f] = UNSET; sequence[f] = q;
		f = 0; j = 0; found = 0
	}
}

inline drop_locks(me) {
	d_step {
		j = 0;
		do
		:: j < NAMES ->
			shared[j] = shared[j] & (255 - BIT(me));
			if
			:: exclusive[j] == me + 1 -> exclusive[j] = 0
			:: else
			fi;
			j++
		:: j >= NAMES -> break
		od;
		j = 0; HEAD(me) = 0; OPENED(me) = 0; SPARE(me) = 0; pinned[p] = 0
	}
	collect()
}

/* A pin on the head is counted in the process: the kernel sees one lock. */
inline unpin(me, q, own) {
	d_step {
		if
		:: q != own -> shared[q] = shared[q] & (255 - BIT(me))
		:: else
		fi;
		OPENED(me) = 0; pinned[me] = 0
	}
	collect()
}

inline take_away(q) {
	d_step {
		if
		:: name[q] != 0 -> name[q] = 0; lost[q] = 1
		:: else
		fi
	}
	collect()
}

/* `file` is cleared or gets another header: nobody may use it, and it is no live segment. */
inline check_unused(me, file) {
	d_step {
		j = 0;
		do
		:: j < PROCESSES ->
			assert(HEAD(j) != file);
			assert(!pinned[j] || OPENED(j) != file);
			assert(j == me || SPARE(j) != file);
			j++
		:: j >= PROCESSES -> break
		od;
		j = start_sequence;
		do
		:: j < NAMES -> assert(name[j] != file); j++
		:: j >= NAMES -> break
		od;
		j = 0
	}
}

/* P1 to P4 for segment q of process me. The start is checked behind the open: a late name may come into being, for a
 * moment, after any check before it. P4: the file is the first of this name, which was never taken away before the open. */
#ifdef BUG_SKIP_P3
#define RETIRED(q) false
#else
#define RETIRED(q) (start_sequence > (q))
#endif
#define P1(L, me, q, own, refused) STEP(L##_lock) \
		if \
		:: q != own && exclusive[q] != 0 -> goto refused \
		:: q == own || exclusive[q] == 0 -> shared[q] = shared[q] | BIT(me) \
		fi \
	END
#define P3(L, me, q, own, refused) STEP(L##_check) \
		if \
		:: RETIRED(q) -> opened_lost = 0; unpin(me, q, own); goto refused \
		:: !RETIRED(q) \
		fi \
	END
#define P2(L, me, q) STEP(L##_open) OPENED(me) = name[q]; opened_lost = (name[q] != 0 && lost[q]) END
#define P4(L, me, q) L##_verify: atomic { \
		assert(OPENED(me) == 0 || (sequence[OPENED(me)] == q && !opened_lost)); \
		pinned[me] = (OPENED(me) != 0) }
#ifdef BUG_CHECK_BEFORE_OPEN
#define PIN(L, me, q, own, refused) \
	P1(L, me, q, own, refused) P3(L, me, q, own, refused) P2(L, me, q) \
	STEP(L##_absent) \
		if \
		:: OPENED(me) == 0 && RETIRED(q) -> opened_lost = 0; unpin(me, q, own); goto refused \
		:: else \
		fi \
	END \
	P4(L, me, q)
#else
#define PIN(L, me, q, own, refused) \
	P1(L, me, q, own, refused) P2(L, me, q) P3(L, me, q, own, refused) P4(L, me, q)
#endif

proctype producer(byte p; byte left) {
	byte s = UNSET, t, r, last, f, j;
	bit found, opened_lost;

	/* The segment that is written: the last that was begun. */
join:	STEP(join_begun) t = begun - 1 END
	PIN(join, p, t, s, join)
	assert(OPENED(p) != 0 && base[OPENED(p)] == t);
	goto go_on;

	/* S6: the new head is pinned, the old one is given back. */
go_on:	STEP(leave)
		if
		:: s != UNSET && s != t -> shared[s] = shared[s] & (255 - BIT(p))
		:: else
		fi;
		s = t; t = 0; HEAD(p) = OPENED(p); OPENED(p) = 0; pinned[p] = 0; collect()
	END

append:	STEP(publish)
		if
		:: slot[HEAD(p)] == 0 ->
			slot[HEAD(p)] = s + 1; left--;
			/* It lands in the live segment of that name. */
			assert(name[s] == HEAD(p) && !lost[s] && start_sequence <= s && begun == s + 1);
			assert(sequence[HEAD(p)] == s && base[HEAD(p)] == s);
			if
			:: left == 0 -> goto dead    /* finished: it lets go of all */
			:: else
			fi
		:: else -> assert(slot[HEAD(p)] == s + 1)
		fi
	END

	/* S3 */
roll:	t = s + 1;
	PIN(roll, p, t, s, join)
	if
	:: OPENED(p) != 0 -> goto settle
	:: OPENED(p) == 0
	fi;
	STEP(roll_free) unpin(p, t, s) END
	goto make;

settle:	STEP(S4) assert(base[OPENED(p)] == UNSET || base[OPENED(p)] == t); base[OPENED(p)] = base[HEAD(p)] + 1 END
	STEP(S5)
		if
		:: begun < t + 1 -> begun = t + 1
		:: else
		fi
	END
	goto go_on;

	/* R1 */
make:
retire:	STEP(retire_begun) last = begun - 1 END
	STEP(retire_start) r = start_sequence END
	if
	:: last < r + KEEP -> goto spare
	:: else -> r++
	fi;
	PIN(retire, p, r, s, retire)
	assert(OPENED(p) != 0 && base[OPENED(p)] == r);
	STEP(retire_offset)
		if
		:: start_offset < base[OPENED(p)] -> start_offset = base[OPENED(p)]
		:: else
		fi
	END
	STEP(retire_sequence)
		assert(start_offset >= r);
#ifdef BUG_START_STORE
		assert(start_sequence <= r); start_sequence = r
#else
		if
		:: start_sequence < r -> start_sequence = r
		:: else
		fi
#endif
	END
	STEP(retire_done) unpin(p, r, s) END
	goto retire;

	/* R2, R3: a spare among the names from r to last */
#ifdef BUG_REUSE_UNRETIRED
spare:	STEP(spare_end) last = begun - 1 END
#else
spare:	STEP(spare_end) last = start_sequence END
#endif
	STEP(spare_begin) r = reclaimed END
right:	if
	:: r >= last -> goto new_file
	:: r < last
	fi;
	STEP(R2)
		if
		:: exclusive[r] != 0 -> goto why
#ifdef BUG_OWN_PIN
		:: exclusive[r] == 0 && (shared[r] & (255 - BIT(p))) != 0 -> goto why
		:: exclusive[r] == 0 && (shared[r] & (255 - BIT(p))) == 0 ->
			shared[r] = 0; exclusive[r] = p + 1
#else
#ifdef BUG_REUSE_WITHOUT_LOCK
		:: exclusive[r] == 0 -> exclusive[r] = p + 1
#else
		:: exclusive[r] == 0 && shared[r] != 0 -> goto why
		:: exclusive[r] == 0 && shared[r] == 0 -> exclusive[r] = p + 1
#endif
#endif
		fi
	END
	STEP(R3) SPARE(p) = name[r] END
	if
	:: SPARE(p) != 0 -> goto clear
	:: SPARE(p) == 0
	fi;
	goto remove;
	/* What stands against it is a second question; the lock may have been given back meanwhile. */
	STEP(why)
		if
		:: exclusive[r] != 0 -> r++; goto right
		:: exclusive[r] == 0
		fi
	END
	STEP(remove)
#ifdef REACH_UNLINK_PINNED
		assert(name[r] == 0 || shared[r] == 0);
#endif
		take_away(r)
	END
	STEP(remove_reclaimed)
#ifdef BUG_RECLAIMED_PAST
		if
		:: reclaimed < r + 1 -> reclaimed = r + 1
#else
		if
		:: reclaimed == r -> reclaimed = r + 1
#endif
		:: else
		fi
	END
	STEP(remove_unlock)
		if
		:: exclusive[r] == p + 1 -> exclusive[r] = 0
		:: else
		fi;
		r++; goto right
	END

	/* N1 to N3 */
new_file:
	STEP(N1) last = 0; r = UNSET; create(p, t) END
	goto pin;
clear:	last = 0;
#ifndef BUG_CLEAR_AFTER_RENAME
	STEP(N2) check_unused(p, SPARE(p)); slot[SPARE(p)] = 0; base[SPARE(p)] = UNSET END
	STEP(N3) check_unused(p, SPARE(p)); sequence[SPARE(p)] = t END
#endif
#ifdef BUG_UNLOCK_BEFORE_RENAME
	STEP(N6_early) exclusive[r] = 0 END
#endif

	/* N4 */
pin:
#ifndef BUG_SKIP_N4
	P1(N4, p, t, s, give_up)
	P3(N4, p, t, s, give_up)
#endif

	/* N5 */
	STEP(N5)
		if
		:: (r == UNSET && !temporary[SPARE(p)]) || (r != UNSET && name[r] == 0) ->
#ifdef REACH_SOURCE_GONE
			assert(false);
#endif
			found = 1; goto unpin_target
#ifndef BUG_RENAME_REPLACES
		:: ((r == UNSET && temporary[SPARE(p)]) || (r != UNSET && name[r] != 0)) && name[t] != 0 ->
			goto unpin_target
#endif
		:: else
		fi;
		if
		:: r == UNSET -> temporary[SPARE(p)] = 0
		:: else -> assert(name[r] == SPARE(p)); name[r] = 0; lost[r] = 1
		fi;
		assert(name[t] == 0);        /* no two files bear the same live name */
		name[t] = SPARE(p);
#ifdef REACH_LATE
		assert(!lost[t]);
#endif
#ifdef REACH_REUSE
		lives[SPARE(p)]++; assert(lives[SPARE(p)] < 2);
#endif
		assert(!lost[t] || start_sequence > t);
#ifndef BUG_CLEAR_AFTER_RENAME
		SPARE(p) = 0
	END
#else
		skip
	END
	STEP(N2) slot[SPARE(p)] = 0; base[SPARE(p)] = UNSET END
	STEP(N3) sequence[SPARE(p)] = t; SPARE(p) = 0 END
#endif
	/* N6; a new file has nothing to give back */
	if
	:: r == UNSET -> goto late
	:: r != UNSET
	fi;
	STEP(N6_reclaimed)
		if
#ifdef BUG_RECLAIMED_PAST
		:: reclaimed < r + 1 -> reclaimed = r + 1
#else
		:: reclaimed == r -> reclaimed = r + 1
#endif
		:: else
		fi
	END
	STEP(N6_unlock) exclusive[r] = 0; r = UNSET END
late:
#ifndef BUG_KEEP_LATE
	STEP(N5_check)
		if
		:: start_sequence <= t -> goto unpin_target
		:: start_sequence > t
		fi
	END
	STEP(N5_remove) take_away(t) END
#endif
	STEP(unpin_target) unpin(p, t, s) END

	/* A spare that was not used keeps its name; a temporary file is removed. */
give_up:
	STEP(release)
		if
		:: r != UNSET && exclusive[r] == p + 1 -> exclusive[r] = 0
		:: r == UNSET -> temporary[SPARE(p)] = 0
		:: else
		fi;
		r = 0; SPARE(p) = 0; collect();
		if
		:: found -> found = 0; goto make    /* source gone */
		:: !found -> goto roll
		fi
	END

dead:	atomic {
		drop_locks(p);
		if
		:: left != 0 -> deaths++
		:: else
		fi;
		s = 0; t = 0; r = 0; last = 0; left = 0; found = 0; opened_lost = 0; finished++
	}
}

#ifdef READER
proctype reader(byte p) {
	byte s, seen, f, j;
	bit ended, found, opened_lost;

#ifdef AT
	atomic {
		s = AT; begun > s || finished == 2;
		if
		:: begun > s
		:: begun <= s -> goto dead
		fi
	};
#else
	STEP(look) s = start_sequence END
#endif
again:	STEP(look_begun) ended = (begun > s + 1) END
	PIN(pin, p, s, UNSET, retired)
	STEP(first)
		assert(OPENED(p) != 0 && sequence[OPENED(p)] == s && base[OPENED(p)] == s);
		seen = slot[OPENED(p)];
		assert(seen == s + 1 || (seen == 0 && !ended))
	END
	STEP(second)
		assert(sequence[OPENED(p)] == s && base[OPENED(p)] == s);
		assert(slot[OPENED(p)] == seen || (seen == 0 && slot[OPENED(p)] == s + 1));
		seen = 0
	END
	STEP(unpin_it) unpin(p, s, UNSET) END
#ifdef AT
	goto dead;
#endif
	atomic {
		/* Waiting for the next segment, or for the end of the run. */
		begun > s + 1 || finished == 2;
		if
		:: begun > s + 1 -> s++; goto again
		:: begun <= s + 1 -> goto dead
		fi
	}
retired:
#ifdef AT
	goto dead;
#endif
	STEP(follow) assert(start_sequence > s); s = start_sequence; assert(start_offset >= s); ended = 0; goto again END

dead:	atomic { drop_locks(p); s = 0; seen = 0; ended = 0;  opened_lost = 0 }
}
#endif

#ifdef TIDIER
/* A temporary file whose maker is just about to lock it is removed too, so any of them may be. */
proctype tidier(byte p) {
	byte s, f, j;
	bit found;

	do
	:: s < NAMES ->
		STEP(late)
			if
			:: s < reclaimed && name[s] != 0 && exclusive[s] == 0 && shared[s] == 0 -> exclusive[s] = p + 1
			:: else -> s++; goto next
			fi
		END
		STEP(remove) take_away(s) END
		STEP(unlock) exclusive[s] = 0; s++ END
next:		skip
	:: s == NAMES -> break
	od;
	s = 1;
	do
	:: s <= FILES -> STEP(temp)
			if
			:: temporary[s] -> temporary[s] = 0; collect()
			:: true
			fi;
			s++
		END
	:: s > FILES -> break
	od;
dead:	atomic { drop_locks(p); s = 0 }
}
#endif

init {
	byte j, temporaries, files;
	atomic {
		/* Segment 0 is there and full. */
		name[0] = 1; slot[1] = 1; begun = 1;
		run producer(0, FIRST);
		run producer(1, SECOND);
#ifdef READER
		run reader(2);
#endif
#ifdef TIDIER
		run tidier(3);
#endif
	}
	_nr_pr == 1;
	/* All have finished or died. */
	d_step {
		assert(start_offset == start_sequence || start_offset == start_sequence + 1);
		assert(reclaimed <= start_sequence && start_sequence < begun);
		assert(deaths != 0 || begun == FIRST + SECOND + 1);
		j = 0;
		do
		:: j < NAMES ->
			assert(shared[j] == 0 && exclusive[j] == 0);
			if
			:: name[j] != 0 && j < reclaimed ->
				assert(lost[j] && deaths != 0)     /* a late name, whose maker died */
			:: name[j] != 0 && j >= start_sequence ->
				assert(!lost[j] && sequence[name[j]] == j && j <= begun);
				assert(j >= begun || base[name[j]] == j);
				assert(j + 1 >= begun || slot[name[j]] == j + 1)
			:: name[j] == 0 -> assert(j < start_sequence || j >= begun)
			:: else    /* a spare */
			fi;
			j++
		:: j >= NAMES -> break
		od;
		j = 1;
		do
		:: j <= FILES -> temporaries = temporaries + temporary[j]; j++
		:: j > FILES -> break
		od;
		assert(temporaries <= deaths)
	}
}
