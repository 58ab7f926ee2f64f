/* Publish, seal and roll by several producers, with death at any step, and a reader that follows.
 *
 * Mirrors steps A1 to A3 and S1 to S6 of docs/protocol.md; in code include/leat/sync/slot_array.hpp (A3, S1, S2)
 * and include/leat/storage/appender.hpp (A1, A2, S3 to S6). Making, pinning and reusing files is in
 * retire_pin_reuse.pml: here a successor is made by one atomic step, which only the first one wins.
 *
 * Each atomic block is one access to shared memory; before each of them the producer may die. A producer that is stopped
 * for ever is the same as a dead one here, as it holds no lock.
 *
 * Bounded: PRODUCERS with RECORDS records of one cell each, SEGS segments of SLOTS slots and CELLS cells, chunks of 1 to
 * CHUNK cells. The steps compare nothing but a slot, the seal, the end of the array and the end of the data area, and the
 * configurations have all of them met first, last and in between: a record filled before and after the seal; the seal in
 * slot 0 (a segment without records), in the middle, and none (a full array); rolls that overtake one another. REACH_...
 * checks that these are reached. Where chunks of the others can use up a segment (CELLS <= (PRODUCERS - 1) * CHUNK),
 * two producers may seal each other out for ever; a run is cut off then where it needs more than SEGS segments. In the other
 * configurations SEGS is never reached (asserted). Memory is sequentially consistent here: the orderings are in
 * docs/memory-model.md.
 *
 * Nobody waits for another and no step goes back: `cycles` checks that there is no run without end. Together with the end
 * states: survivors always finish.
 *
 * Run: check.sh append_seal_roll.pml, in an empty directory.
 *
// config: -DSLOTS=1 -DCELLS=2 -DCHUNK=1 -DSEGS=5
// config: -DSLOTS=2 -DCELLS=2 -DSEGS=3
// config: -DSLOTS=2 -DCELLS=4 -DSEGS=5
// config: -DSLOTS=3 -DCELLS=3 -DSEGS=4
// config: -DPRODUCERS=3 -DRECORDS=1 -DSLOTS=1 -DCELLS=3 -DCHUNK=1 -DSEGS=4
// config: -DPRODUCERS=3 -DRECORDS=1 -DSLOTS=2 -DCELLS=3 -DCHUNK=1 -DSEGS=3
// cycles: -DSLOTS=3 -DCELLS=3 -DSEGS=4
 *
// bug: REACH_EMPTY -DSLOTS=2 -DCELLS=2 (not a bug, a state that must be reached) a segment without records
// bug: REACH_OVERTAKEN -DSLOTS=1 -DCELLS=2 -DCHUNK=1 -DSEGS=5 (the same) S5 two segments behind
// bug: REACH_GALLOP -DSLOTS=3 -DCELLS=3 -DSEGS=4 (the same) a search that steps over a record
 *
// bug: BUG_PUBLISH_BEFORE_FILL the slot is taken before the record is written
// bug: BUG_DROP_AT_SEAL a filled record that meets the seal is acknowledged, but not carried into the next segment
// bug: BUG_PUBLISH_STORE publishes by load and store instead of CAS
// bug: BUG_SEAL_STORE -DSLOTS=2 -DCELLS=2 seals by load and store instead of CAS
// bug: BUG_SPACE_LOAD_STORE takes a chunk by load and store instead of fetch_add
// bug: BUG_STEP_OVER_SEAL -DSLOTS=2 -DCELLS=2 the search for a free slot takes the seal for a record
// bug: BUG_COUNT_OWN -DSLOTS=2 -DCELLS=2 counts the records up to the slot this producer believed free, not to the seal
// bug: BUG_SETTLE_BEFORE_SEAL -DSLOTS=2 -DCELLS=2 counts before the seal stands
// bug: BUG_SKIP_S5 -DSLOTS=2 -DCELLS=2 does not raise begun
// bug: BUG_BEGIN_BY_MAKER leaves S4 and S5 to the maker of the successor
// bug: BUG_BEGIN_BEFORE_SETTLE S5 before S4
// bug: BUG_BEGUN_STORE stores begun instead of raising it
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef CELLS
#define CELLS 3
#endif
#ifndef CHUNK
#define CHUNK 2
#endif
#ifndef SEGS
#define SEGS 4
#endif

#define UNSET  255
#define SEALED 255
#define SLOT(s, i) slots[(s) * SLOTS + (i)]
#define DATA(s, p) data[(s) * CELLS + (p)]

byte slots[SEGS * SLOTS];    /* 0: free, SEALED, else position + 1 */
byte data[SEGS * CELLS];     /* 0: never written, else record number + 1 */
byte tail[SEGS];
byte base[SEGS];
bit made[SEGS];
byte begun;

/* Not in shared memory: what the properties speak about. */
byte published;              /* records in the partition */
byte acked[PRODUCERS];       /* records acknowledged to each producer */
byte finished;               /* producers that finished, died or were cut off */
bit lives[PRODUCERS];

#define STEP(label) label: atomic { if :: goto dead :: true fi;
#define END }

proctype producer(byte me) {
	byte s, b, i, n, t, pos, left, k;

	STEP(open)
		if
		:: begun == 0 -> goto successor      /* the first segment is made as all others, with nothing to seal */
		:: else -> s = begun - 1
		fi
	END
	STEP(open_base) b = base[s]; assert(b != UNSET) END

A1:	if
	:: left > 0 -> pos++; left--; goto A2
	:: else
	fi;
#ifdef BUG_SPACE_LOAD_STORE
	STEP(space_load) pos = tail[s] END
#endif
	STEP(space)
#ifndef BUG_SPACE_LOAD_STORE
		pos = tail[s];
#endif
		select(left : 1 .. CHUNK);
		if
		:: pos >= CELLS -> pos = 0; left = 0; goto S1
		:: else -> tail[s] = pos + left
		fi;
		/* What lies within the data area is used. */
		if
		:: tail[s] > CELLS -> tail[s] = CELLS; left = CELLS - pos
		:: else
		fi;
		left--
	END

A2:
#ifndef BUG_PUBLISH_BEFORE_FILL
	STEP(fill) assert(DATA(s, pos) == 0); DATA(s, pos) = me * RECORDS + k + 1 END
#endif

A3:	if
	:: i == SLOTS -> n = SLOTS; goto carry
	:: else
	fi;
#ifdef BUG_PUBLISH_STORE
	STEP(publish_load)
		if
		:: SLOT(s, i) == SEALED -> n = i; goto carry
		:: SLOT(s, i) != 0 && SLOT(s, i) != SEALED -> i++; goto A3
		:: SLOT(s, i) == 0
		fi
	END
#endif
	STEP(publish)
		if
#ifdef BUG_PUBLISH_STORE
		:: true ->
#else
		:: SLOT(s, i) == 0 ->
#endif
			SLOT(s, i) = pos + 1;
			assert(begun > s && base[s] == b);   /* a reader that sees no `begun` beyond s misses nothing */
			assert(b + i == published);          /* dense, one record for an offset */
			published++
#ifndef BUG_PUBLISH_STORE
#ifdef BUG_STEP_OVER_SEAL
		:: SLOT(s, i) != 0 -> i++; goto A3
#else
		:: SLOT(s, i) == SEALED -> n = i; goto carry
		:: SLOT(s, i) != 0 && SLOT(s, i) != SEALED ->
			if
			:: i++; goto A3
			:: i + 1 < SLOTS -> goto gallop
			fi
#endif
#endif
		fi
	END
#ifdef BUG_PUBLISH_BEFORE_FILL
	STEP(fill) DATA(s, pos) = me * RECORDS + k + 1 END
#endif
A4:	atomic {
		i++; k++; acked[me] = k;
		if
		:: k == RECORDS -> goto done
		:: else -> goto A1
		fi
	}

	/* A search that looks ahead instead of trying: all slots below one that holds a record hold records. */
	STEP(gallop)
		if
		:: SLOT(s, i + 1) == 0 -> i++
		:: SLOT(s, i + 1) == SEALED -> n = i + 1; goto carry
		:: SLOT(s, i + 1) != 0 && SLOT(s, i + 1) != SEALED -> i = i + 2
#ifdef REACH_GALLOP
			; assert(false)
#endif
		fi;
		goto A3
	END

carry:
#ifdef BUG_DROP_AT_SEAL
	atomic {
		k++; acked[me] = k;
		if
		:: k == RECORDS -> goto done
		:: else
		fi
	};
#endif
	goto S3;

S1:
#ifdef BUG_SETTLE_BEFORE_SEAL
	n = i;
#endif
#ifdef BUG_COUNT_OWN
	n = i;
#endif
again:	if
	:: i == SLOTS ->
#ifndef BUG_SETTLE_BEFORE_SEAL
#ifndef BUG_COUNT_OWN
		n = SLOTS;
#endif
#endif
		goto S3
	:: else
	fi;
#ifdef BUG_SEAL_STORE
	STEP(seal_load)
		if
		:: SLOT(s, i) == 0 || SLOT(s, i) == SEALED
		:: SLOT(s, i) != 0 && SLOT(s, i) != SEALED -> i++; goto again
		fi
	END
#endif
	STEP(seal)
		if
#ifdef BUG_SEAL_STORE
		:: true -> SLOT(s, i) = SEALED
#else
		:: SLOT(s, i) == 0 -> SLOT(s, i) = SEALED
#ifdef REACH_EMPTY
			; assert(i != 0)
#endif
		:: SLOT(s, i) == SEALED
		:: SLOT(s, i) != 0 && SLOT(s, i) != SEALED -> i++; goto again
#endif
		fi;
#ifndef BUG_SETTLE_BEFORE_SEAL
#ifndef BUG_COUNT_OWN
		n = i
#else
		skip
#endif
#else
		skip
#endif
	END

S3:	pos = 0; left = 0; i = 0;
	/* A producer that sees a later segment begun may go straight to the last of them. */
	STEP(look)
		if
		:: begun > s + 1 -> t = begun - 1; goto jump
		:: t = s + 1
		fi;
		if
		:: t == SEGS ->
#if CELLS > (PRODUCERS - 1) * CHUNK
			assert(false);
#endif
			goto dead   /* cut off: see above */
		:: else
		fi
	END
	STEP(successor)
		if
		:: made[t] == 0
		:: made[t] == 1 ->
#ifdef BUG_BEGIN_BY_MAKER
			goto S6
#else
			goto S4
#endif
		fi
	END
	STEP(make) made[t] = 1 END

S4:
#ifndef BUG_BEGIN_BEFORE_SETTLE
	STEP(settle) assert(base[t] == UNSET || base[t] == b + n); base[t] = b + n END
#endif
#ifndef BUG_SKIP_S5
	STEP(begin)
#ifdef REACH_OVERTAKEN
		assert(begun <= t + 1);
#endif
#ifdef BUG_BEGUN_STORE
		assert(begun <= t + 1); begun = t + 1
#else
		if
		:: begun < t + 1 -> begun = t + 1
		:: else
		fi
#endif
	END
#endif
#ifdef BUG_BEGIN_BEFORE_SETTLE
	STEP(settle) assert(base[t] == UNSET || base[t] == b + n); base[t] = b + n END
#endif
S6:	atomic { s = t; b = b + n; n = 0; t = 0; goto A1 }

	STEP(jump) s = t; b = base[s]; assert(b != UNSET); n = 0; t = 0; goto A1 END

done:	atomic { lives[me] = 1; goto last }
dead:	atomic { lives[me] = 0; goto last }
last:	atomic { s = 0; b = 0; i = 0; n = 0; t = 0; pos = 0; left = 0; k = 0; finished++ }
}

proctype reader() {
	byte s, i, id, p, next[PRODUCERS], seen;

	do
	:: i < SLOTS -> atomic {
		/* Waiting for a record, or for the end of the run, instead of looking again and again. */
		SLOT(s, i) != 0 || finished == PRODUCERS;
		if
		:: SLOT(s, i) == 0 -> break
		:: SLOT(s, i) == SEALED -> goto successor
		:: SLOT(s, i) != 0 && SLOT(s, i) != SEALED ->
			id = DATA(s, SLOT(s, i) - 1);
			assert(id != 0);                     /* whole */
			p = (id - 1) / RECORDS;
			assert((id - 1) % RECORDS == next[p]);   /* in the producer's order, each once */
			next[p]++;
			assert(base[s] + i == seen);
			seen++; i++; id = 0; p = 0
		fi
	}
	:: i == SLOTS ->
successor:	atomic {
			assert(begun > s + 1 || published == seen);   /* no `begun` beyond s: nothing missed */
			begun > s + 1 || finished == PRODUCERS;
			if
			:: begun > s + 1
			:: begun <= s + 1 -> break
			fi;
			assert(base[s + 1] == base[s] + i);
			s++; i = 0
		}
	od;
	/* The end of the run. */
	atomic {
		assert(seen == published);
		for (p : 0 .. PRODUCERS - 1) {
			assert(next[p] >= acked[p]);                    /* all that was acknowledged is there, */
			assert(lives[p] == 0 || next[p] == RECORDS)     /* and all of a survivor's records */
		}
	}
}

init {
	byte p;
	atomic {
		for (p : 0 .. SEGS - 1) { base[p] = UNSET }
		for (p : 0 .. PRODUCERS - 1) { run producer(p) }
		run reader();
		p = 0
	}
}
