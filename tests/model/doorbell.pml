/* Sleeping and ringing: no wake-up is lost, with sleepers and wakers that die at any step.
 *
 * Mirrors steps A3, A4, W1 to W4 and D1 to D4 of docs/protocol.md; in code include/leat/sync/doorbell.hpp (all of them),
 * slot_array.hpp (try_publish, publish_alone, observe_in_order), include/leat/storage/reader.hpp (sleep, begin_vigil, arm,
 * has_something), cursor.hpp (ready), appender.hpp (claim_slot, ring) and include/leat/os/futex.hpp. One bell serves the store,
 * with a mask for each partition. -DTELLER: somebody changes a word that has no doorbell and rings everybody, as
 * topic_log::close and announce, group_files::advance_generation and announce_handover do. [close] [settings]
 *
 * -DSINGLE: each partition has one writer, whose A3 is a plain store. It stands in a store buffer then and gets out of it at any
 * time, in order; at the writer's next locked instruction; when a sleeper issues the barrier between W2 and W3; and also behind
 * the writer's death. (AArch64 keeps a store-release and a later load-acquire in order; this is x86-64's buffer.) All else is
 * sequentially consistent here: its accesses are seq_cst in the code.
 *
 * Values of the bell and of a doorbell are only compared with what somebody has read of them, and are never the same again (in the
 * code for 2^32 rings, and 2^30 armings). So the model has a bit for each sleeper instead of the bell's value; and a doorbell is armed
 * with the smallest odd number that nobody holds.
 *
 * Each atomic block is one access to shared memory or one system call; before each of them the process may die. futex_wait compares
 * and falls asleep in one step; it may return for no reason (EARLY times); and it returns at its upper bound, which is here when
 * nothing else will come. BATCH: records for one A4. A sleeper has polled before W1, with nothing found; what it finds at W3 it takes
 * at once, as the poll behind it would.
 *
 * Checked, for every record whose publisher has got through A4 and, if it was to ring, D3: from that step on nobody sleeps who
 * reads the partition and has not taken the record. So this is guaranteed, and no more: a producer killed between A3 and D3 leaves
 * a sleeper to the next record of that partition, whose publisher rings, or to the sleeper's upper bound (100 ms); and a sleeper is
 * left to its bound for no other reason (REACH_GAP). A ring is completed by D4; no other follows until somebody arms again. So a
 * killed sleeper costs one needless ring, however often it had armed (and one of each producer that looked at the same time).
 *
 * Bounded: PRODUCERS with RECORDS records each, round-robin over PARTITIONS; SLEEPERS, of which the first reads all partitions and
 * the others the last one; DEATHS.
 *
 * Run: check.sh doorbell.pml, in an empty directory.
 *
// config: -DPRODUCERS=2 -DSLEEPERS=2 -DDEATHS=1
// config: -DPRODUCERS=2 -DRECORDS=2 -DSLEEPERS=1 -DEARLY=1
// config: -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=2 -DDEATHS=0
// config: -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=1
// config: -DPRODUCERS=2 -DPARTITIONS=2 -DRECORDS=2 -DSLEEPERS=1 -DSHARED_BIT
// config: -DSINGLE -DPRODUCERS=1 -DRECORDS=2 -DSLEEPERS=2
// config: -DSINGLE -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=1
// config: -DSINGLE -DPRODUCERS=1 -DRECORDS=3 -DBATCH=2 -DSLEEPERS=1
// config: -DTELLER -DPRODUCERS=1 -DSLEEPERS=2
// cycles: -DPRODUCERS=2 -DSLEEPERS=1 -DEARLY=1
// cycles: -DSINGLE -DPRODUCERS=1 -DRECORDS=2 -DSLEEPERS=1
 *
// bug: REACH_GAP -DPRODUCERS=1 -DSLEEPERS=1 (not a bug, a state that must be reached) a sleeper left to its upper bound
// bug: REACH_NEEDLESS -DPRODUCERS=1 -DSLEEPERS=1 (the same) a ring for a killed sleeper
// bug: REACH_REARMED -DPRODUCERS=2 -DSLEEPERS=1 (the same) D4 finds that somebody has armed it again
// bug: REACH_MOVED -DPRODUCERS=1 -DSLEEPERS=1 (the same) W4 finds the bell raised
// bug: REACH_BUFFERED -DSINGLE -DPRODUCERS=1 -DSLEEPERS=1 (the same) A4 while the slot's store is in the buffer
 *
// bug: BUG_NO_LOOK -DPRODUCERS=1 -DSLEEPERS=1 W3 is left out
// bug: BUG_LOOK_FIRST -DPRODUCERS=1 -DSLEEPERS=1 W3 before W2
// bug: BUG_NOTE_LAST -DPRODUCERS=1 -DSLEEPERS=1 W1 behind W3
// bug: BUG_READ_FIRST -DPRODUCERS=1 -DSLEEPERS=1 A4 before A3
// bug: BUG_NO_COMPARE -DPRODUCERS=1 -DSLEEPERS=1 W4 sleeps whatever the bell is
// bug: BUG_NO_BUMP -DPRODUCERS=1 -DSLEEPERS=1 D2 is left out
// bug: BUG_WAKE_FIRST -DPRODUCERS=1 -DSLEEPERS=1 D3 before D2
// bug: BUG_DISARM_FIRST -DPRODUCERS=2 -DSLEEPERS=1 D4 before D2: a waker that dies then leaves the sleeper to nobody
// bug: BUG_DISARM_BEFORE_WAKE -DPRODUCERS=2 -DSLEEPERS=1 D4 before D3
// bug: BUG_DISARM_STORE -DPRODUCERS=2 -DSLEEPERS=1 D4 by a store: also where somebody has armed again
// bug: BUG_ARM_SAME_VALUE -DPRODUCERS=2 -DSLEEPERS=1 -DRECORDS=2 the same, as each arming makes the same value
// bug: BUG_NO_DISARM -DPRODUCERS=2 -DSLEEPERS=1 D4 is left out: a ring for each record for ever
// bug: BUG_SLEEPER_DISARMS -DPRODUCERS=1 -DSLEEPERS=2 -DEARLY=1 a sleeper takes its own arming back when it wakes
// bug: BUG_SLEEPER_DISARMS_EARLY -DPRODUCERS=2 -DSLEEPERS=1 it does so in front of W4, having found nothing at W3
// bug: BUG_WAKE_ONE -DPRODUCERS=1 -DSLEEPERS=2 D3 wakes one sleeper
// bug: BUG_MASK_OF_FIRST -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=1 a sleeper listens for the first of its partitions
// bug: BUG_MASK_OF_LAST_ARMED -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=2 D3 wakes by a mask in the store, which each arming overwrites
// bug: BUG_ARM_FIRST -DPRODUCERS=2 -DPARTITIONS=2 -DSLEEPERS=1 a sleeper arms the first of its partitions
// bug: BUG_NO_BARRIER -DSINGLE -DPRODUCERS=1 -DSLEEPERS=1 no barrier
// bug: BUG_BARRIER_FIRST -DSINGLE -DPRODUCERS=1 -DSLEEPERS=1 the barrier before W2
// bug: BUG_BARRIER_LAST -DSINGLE -DPRODUCERS=1 -DSLEEPERS=1 the barrier behind W3
// bug: BUG_UNREGISTERED -DSINGLE -DPRODUCERS=1 -DSLEEPERS=1 a writer that could not join the barrier publishes by a store
// bug: BUG_TELL_LATE -DTELLER -DPRODUCERS=1 -DSLEEPERS=1 the change comes behind the ring
// bug: BUG_TELL_WITHOUT_LOOK -DTELLER -DPRODUCERS=1 -DSLEEPERS=1 W3 does not look for the change
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PARTITIONS
#define PARTITIONS 1
#endif
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef RECORDS
#define RECORDS 1
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef DEATHS
#define DEATHS (PRODUCERS + SLEEPERS)
#endif

#define FIRST_OF(s) ((s) == 0 -> 0 : PARTITIONS - 1)
#define READS(s, p) ((p) >= FIRST_OF(s))
#ifdef SHARED_BIT
#define MASK(p) 1
#else
#define MASK(p) (1 << (p))
#endif
#define ALL 255
#define TAKEN(s, p) taken[(s) * PARTITIONS + (p)]

bit raised[SLEEPERS];             /* the bell is not what this sleeper has noted */
byte doorbell[PARTITIONS];        /* odd: armed; even: 0 */
byte seen[PRODUCERS];             /* what a waker has read of it */
byte slots[PARTITIONS];           /* records that are published */
byte buffered[PARTITIONS];        /* those that are still in the writer's store buffer */
bit changed;
#ifdef BUG_MASK_OF_LAST_ARMED
byte wanted;
#endif

/* The kernel's. */
bit asleep[SLEEPERS];
byte listens[SLEEPERS];

/* Not in shared memory: what the properties speak about, and bounds. */
byte taken[SLEEPERS * PARTITIONS];
byte rung[PARTITIONS];            /* records below it have a publisher that has got through */
bit fresh[PARTITIONS];            /* armed since the last completed ring */
bit orphaned[PARTITIONS];         /* a publisher died between A3 and D3 */
bit told, silent = 1;              /* the teller has told; will tell nothing more */
bit heard[SLEEPERS];
#ifdef REACH_NEEDLESS
bit killed;
#endif
byte ended;                       /* producers that have finished or died */
byte early = EARLY;
byte deaths = DEATHS;

/* Nothing more comes. */
#if PARTITIONS > 1
#define QUIET (ended == PRODUCERS && silent && buffered[0] == 0 && buffered[1] == 0)
#else
#define QUIET (ended == PRODUCERS && silent && buffered[0] == 0)
#endif

#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: true fi;
#define END }

/* What stands in the buffer gets out. */
inline drain(p) { slots[p] = slots[p] + buffered[p]; buffered[p] = 0 }

/* Nobody sleeps who reads p and has not taken the first n records. */
inline check_awake(p, n) {
	for (k : 0 .. SLEEPERS - 1) {
		assert(!asleep[k] || !READS(k, p) || TAKEN(k, p) >= n)
	}
	k = 0;
	if
	:: rung[p] < n -> rung[p] = n
	:: else
	fi
}

inline bump() {
	for (k : 0 .. SLEEPERS - 1) { raised[k] = 1 }
	k = 0
}

inline wake(mask) {
	for (k : 0 .. SLEEPERS - 1) {
		if
		:: asleep[k] && (listens[k] & (mask)) -> asleep[k] = 0
#ifdef BUG_WAKE_ONE
			; break
#endif
		:: else
		fi
	}
	k = 0
}

inline disarm(p) {
#ifdef BUG_DISARM_STORE
	doorbell[p] = 0;
#else
	if
	:: doorbell[p] == seen[me] -> doorbell[p] = 0; fresh[p] = 0
	:: else ->
#ifdef REACH_REARMED
		assert(!(doorbell[p] & 1))
#endif
	fi;
#endif
#ifdef BUG_NO_DISARM
	fresh[p] = 0
#endif
}

proctype producer(byte me) {
	byte p = me % PARTITIONS;
	byte left = RECORDS, more = BATCH, last, k;

A3:
#ifdef BUG_READ_FIRST
	STEP(A4) seen[me] = doorbell[p] END
#endif
publish:
	STEP(A3_slot)
#ifdef SINGLE
		buffered[p]++; last = slots[p] + buffered[p];
#else
		slots[p]++; last = slots[p];
#endif
		left--; more--;
		if
		:: more > 0 && left > 0 -> goto publish
		:: else
		fi
	END
#ifdef BUG_READ_FIRST
	STEP(A4_done)
#else
	STEP(A4)
		seen[me] = doorbell[p];
#ifdef REACH_BUFFERED
		assert(buffered[p] == 0 || (seen[me] & 1));
#endif
#endif
		if
		:: !(seen[me] & 1) ->
			check_awake(p, last); seen[me] = 0; last = 0; more = BATCH;
			if
			:: left == 0 -> goto done
			:: else -> goto A3
			fi
		:: else -> assert(fresh[p] || doorbell[p] != seen[me])
		fi
	END
#ifdef REACH_NEEDLESS
	atomic { assert(!killed) }
#endif
#ifdef BUG_DISARM_FIRST
	STEP(D4) drain(p); disarm(p) END
#endif
#ifdef BUG_WAKE_FIRST
	STEP(D3) wake(MASK(p)) END
#endif
#ifndef BUG_NO_BUMP
	STEP(D2) drain(p); bump() END
#endif
#ifdef BUG_DISARM_BEFORE_WAKE
	STEP(D4) disarm(p) END
#endif
#ifdef BUG_WAKE_FIRST
	atomic { check_awake(p, last); last = 0 }
#else
	STEP(D3)
#ifdef BUG_MASK_OF_LAST_ARMED
		wake(wanted);
#else
		wake(MASK(p));
#endif
		check_awake(p, last); last = 0
	END
#endif
#ifndef BUG_DISARM_FIRST
#ifndef BUG_DISARM_BEFORE_WAKE
	STEP(D4)
#ifdef BUG_NO_DISARM
		if
		:: doorbell[p] == seen[me] -> fresh[p] = 0
		:: else
		fi
#else
		drain(p); disarm(p)
#endif
	END
#endif
#endif
	atomic {
		seen[me] = 0; more = BATCH;
		if
		:: left == 0 -> goto done
		:: else -> goto A3
		fi
	}

dead:	atomic {
		deaths--;
		if
		:: last > 0 -> orphaned[p] = 1
		:: else
		fi
	}
done:	atomic { p = 0; left = 0; more = 0; seen[me] = 0; last = 0; ended++ }
}

#ifdef SINGLE
/* A store gets out of its buffer at some time; also when its process has died. */
proctype buffers() {
end_idle: do
	:: atomic { buffered[0] > 0 -> slots[0]++; buffered[0]-- }
#if PARTITIONS > 1
	:: atomic { buffered[1] > 0 -> slots[1]++; buffered[1]-- }
#endif
	od
}
#endif

/* The sleeper's barrier: whatever a running writer has stored is there, and it reads nothing from before. */
#ifdef BUG_UNREGISTERED
#define BARRIER(label) STEP(label) skip END
#else
#define BARRIER(label) STEP(label) for (p : 0 .. PARTITIONS - 1) { drain(p) } p = FIRST_OF(me) END
#endif

#ifdef BUG_SLEEPER_DISARMS
#define OWN_ARMING
#endif
#ifdef BUG_SLEEPER_DISARMS_EARLY
#define OWN_ARMING
#endif
#ifdef OWN_ARMING
byte armed[SLEEPERS];
#define KEEP_ARMED(p) armed[me] = doorbell[p]
#define FORGET_ARMED armed[me] = 0
#else
#define KEEP_ARMED(p) skip
#define FORGET_ARMED skip
#endif

#define W2_OF(p) \
	doorbell[p] = NEW_VALUE; fresh[p] = 1; WANTED(p); KEEP_ARMED(p)
#ifdef OWN_ARMING
#define HELD(v) (seen[0] == (v) || seen[PRODUCERS - 1] == (v) || armed[0] == (v) || armed[SLEEPERS - 1] == (v))
#else
#define HELD(v) (seen[0] == (v) || seen[PRODUCERS - 1] == (v))
#endif
#ifdef BUG_ARM_SAME_VALUE
#define NEW_VALUE 1
#else
#define NEW_VALUE (!HELD(1) -> 1 : (!HELD(3) -> 3 : (!HELD(5) -> 5 : (!HELD(7) -> 7 : 9))))
#endif
#ifdef BUG_MASK_OF_LAST_ARMED
#define WANTED(p) wanted = MASK(p)
#else
#define WANTED(p) skip
#endif

#ifdef BUG_ARM_FIRST
#define LAST_ARMED (FIRST_OF(me) + 1)
#else
#define LAST_ARMED PARTITIONS
#endif
#define W2 \
	STEP(W2_arm) \
		W2_OF(p); p++; \
		if \
		:: p < LAST_ARMED -> goto W2_arm \
		:: else -> p = FIRST_OF(me) \
		fi \
	END

/* It takes what it sees, as the poll behind it would, and begins again. */
#define W3 \
	STEP(W3_look) \
		if \
		:: slots[p] > TAKEN(me, p) -> TAKEN(me, p) = slots[p]; FORGET_ARMED; goto again \
		:: else -> p++ \
		fi; \
		if \
		:: p < PARTITIONS -> goto W3_look \
		:: else -> p = FIRST_OF(me) \
		fi \
	END

proctype sleeper(byte me) {
	byte p;
	bit unread;

	/* It has polled, and found nothing. */
again:
	STEP(W1_note) p = FIRST_OF(me); raised[me] = 0 END
#ifdef BUG_LOOK_FIRST
	W3
#endif
#ifdef BUG_BARRIER_FIRST
	BARRIER(barrier)
#endif
	W2
#ifdef SINGLE
#ifndef BUG_NO_BARRIER
#ifndef BUG_BARRIER_FIRST
#ifndef BUG_BARRIER_LAST
	BARRIER(barrier)
#endif
#endif
#endif
#endif
#ifndef BUG_LOOK_FIRST
#ifndef BUG_NO_LOOK
	W3
#endif
#endif
#ifdef TELLER
#ifndef BUG_TELL_WITHOUT_LOOK
	STEP(W3_change)
		if
		:: changed != heard[me] -> heard[me] = 1; FORGET_ARMED; goto again
		:: else
		fi
	END
#endif
#endif
#ifdef BUG_BARRIER_LAST
	BARRIER(barrier)
#endif
#ifdef BUG_NOTE_LAST
	STEP(W1_late) raised[me] = 0 END
#endif
#ifdef BUG_SLEEPER_DISARMS_EARLY
	STEP(take_back) if :: doorbell[PARTITIONS - 1] == armed[me] -> doorbell[PARTITIONS - 1] = 0 :: else fi END
#endif
	STEP(W4)
		if
#ifndef BUG_NO_COMPARE
		:: raised[me] ->
#ifdef REACH_MOVED
			assert(false);
#endif
			FORGET_ARMED; goto again
#endif
		:: else
		fi;
		asleep[me] = 1;
#ifdef BUG_MASK_OF_FIRST
		listens[me] = MASK(FIRST_OF(me));
#else
		for (p : FIRST_OF(me) .. PARTITIONS - 1) { listens[me] = listens[me] | MASK(p) }
		p = 0;
#endif
		for (p : FIRST_OF(me) .. PARTITIONS - 1) { assert(TAKEN(me, p) >= rung[p]) }
		p = 0;
		assert(!told || heard[me])
	END

	/* In the kernel: waked, early, at the upper bound, or killed. */
	if
	:: atomic { !asleep[me] -> skip }
	:: atomic { asleep[me] && early > 0 -> early--; asleep[me] = 0 }
	:: atomic { asleep[me] && !QUIET && deaths > 0 -> goto dead }
	:: atomic { asleep[me] && QUIET ->
			asleep[me] = 0; unread = (heard[me] != changed);
			for (p : FIRST_OF(me) .. PARTITIONS - 1) {
				if
				:: slots[p] > TAKEN(me, p) ->
					assert(orphaned[p]);   /* nothing else leaves it to its bound */
#ifdef REACH_GAP
					assert(false);
#endif
					TAKEN(me, p) = slots[p]; unread = 1
				:: else
				fi
			}
			p = 0;
			if
			:: !unread -> goto over
			:: else -> unread = 0
			fi
		}
	fi;
	atomic { listens[me] = 0 }
#ifdef BUG_SLEEPER_DISARMS
	STEP(take_back) if :: doorbell[PARTITIONS - 1] == armed[me] -> doorbell[PARTITIONS - 1] = 0 :: else fi END
#endif
	atomic { FORGET_ARMED; goto again }

dead:	atomic {
		deaths--;
		asleep[me] = 0;
#ifdef REACH_NEEDLESS
		killed = 1;
#endif
		for (p : 0 .. PARTITIONS - 1) { TAKEN(me, p) = 0 }
	}
over:	atomic { listens[me] = 0; p = 0; raised[me] = 0; FORGET_ARMED; heard[me] = 0; unread = 0 }
}

#ifdef TELLER
proctype teller() {
	byte k;
#ifdef BUG_TELL_LATE
	STEP(ring) bump() END
	STEP(wake_all) wake(ALL) END
	STEP(change) changed = 1 END
#else
	STEP(change) changed = 1 END
	STEP(ring) bump() END
	STEP(wake_all) wake(ALL) END
#endif
	atomic {
		told = 1;
		for (k : 0 .. SLEEPERS - 1) { assert(!asleep[k] || heard[k]) }
		k = 0
	}
dead:	atomic { k = 0; silent = 1 }
}
#endif

init {
	byte i;
	atomic {
		for (i : 0 .. PRODUCERS - 1) { run producer(i) }
		for (i : 0 .. SLEEPERS - 1) { run sleeper(i) }
#ifdef SINGLE
		run buffers();
#endif
#ifdef TELLER
		silent = 0;
		run teller();
#endif
		i = 0
	}
}
