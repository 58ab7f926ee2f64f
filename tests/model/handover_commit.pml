/* A partition passes from member to member of a group, and they commit, with death and stop at any step.
 *
 * Mirrors steps J2, E1, E2, E4, T0 to T3, B1, C1, H1 and U1 to U4 of docs/protocol.md; in code
 * include/leat/sync/ownership.hpp, include/leat/storage/group_offsets.hpp (take, begin_epoch, commit, commit_unowned,
 * release), include/leat/group/participant.hpp (attend, watch, try_take, commit, leave), member_file.hpp, group_files.hpp
 * (is_living_member) and standalone.hpp. Who should have the partition is in assignment_publish.pml: here every member wants it, and gives it up
 * now and then.
 *
 * Each atomic block is one access to shared memory or one system call; before each of them a member may die (the kernel
 * drops its lease), or, with -DSTOPS, stop for ever (it keeps the lease). Also any member may be taken for stuck at any
 * time (STUCKS), and go on later. Ended members join again, under a new number. A member that has nothing to do waits; so
 * a run in which somebody waits for the dead or the stuck ends in the wait, which spin reports.
 *
 * Checked: the committed offset covers only records that somebody has processed, and a tenure begins at it, so none is
 * skipped; it does not move back, but where a commit from outside (-DSTANDALONE) sets it back; what such a commit has set
 * is not undone by a tenure before it; behind T2 of a tenure those before it commit nothing; a member in good standing
 * never loses the partition, and is never fenced; survivors go on until all records are committed. `cycles`: there is no
 * run without end, so a survivor has the partition after a number of steps of its own.
 *
 * Bounded: RECORDS records, LIVES memberships a member, RELEASES times that a member gives the partition up or leaves.
 * Members compare epochs for equality alone; the committed word's is whole here, 11 bits in the code, and
 * BUG_EPOCH_OF_1_BIT shows what the bits are for. Metadata of commits is not here. Memory is sequentially consistent.
 *
 * NO_RECHECK leaves out the look at the own membership behind T2 (is_current() in try_take), and everything holds: a
 * partition that is in the name of a member without a file is free for everybody, so neither safety nor progress rests on
 * it. It saves the one that was ended the opening of a log, and its successor a reading of directories.
 *
 * Run: check.sh handover_commit.pml, in an empty directory.
 *
// config: -DRELEASES=1
// config: -DSTOPS -DLIVES=1 -DRECORDS=3 -DRELEASES=2
// config: -DSTANDALONE -DLIVES=1 -DRELEASES=0
// config: -DSTANDALONE -DRECORDS=1 -DRELEASES=0
// config: -DMEMBERS=3 -DLIVES=1 -DRECORDS=1 -DRELEASES=0
// config: -DNO_RECHECK
// cycles: -DLIVES=1
// cycles: -DSTANDALONE -DLIVES=1 -DRELEASES=0
 *
// bug: REACH_FENCED -DLIVES=1 (not a bug, a state that must be reached) C1 refuses one who has lost the partition
// bug: REACH_T2_AGAIN -DLIVES=1 (the same) T2 meets a commit and tries again
// bug: REACH_OVERTAKEN -DLIVES=2 (the same) T2 of one who has lost the partition since T1
 *
// bug: BUG_T2_BEFORE_T1 -DRELEASES=1 T2 first
// bug: BUG_NO_T2 -DRELEASES=1 taking over leaves the epoch of the committed word
// bug: BUG_NO_EPOCH_CHECK -DRELEASES=1 C1 takes the epoch that it finds
// bug: BUG_EPOCH_OF_1_BIT -DRELEASES=1 the committed word keeps one bit of the epoch
// bug: BUG_T1_STORE -DRELEASES=1 T1 by load and store
// bug: BUG_NO_MEMBER_CHECK -DRELEASES=1 takes what a member has
// bug: BUG_READ_BEFORE_T2 -DRELEASES=1 begins at the offset that was committed before T2
// bug: BUG_READ_BEFORE_T1 -DRELEASES=1 the same, and before T1
// bug: BUG_UNLINK_ONLY -DRELEASES=1 ends a membership by removing the file, without the exchange in it
// bug: BUG_RELEASE_STORE -DRELEASES=1 releases by a store
// bug: BUG_NO_LEASE -DLIVES=1 nobody looks for the dead
// bug: BUG_NO_DEADLINE -DSTOPS -DLIVES=1 nobody looks for the stuck
// bug: BUG_EVICTED_FILE_STAYS -DRELEASES=1 nobody removes the file of a member that was ended by one who died then
// bug: BUG_STANDALONE_LATE_EPOCH -DSTANDALONE -DLIVES=1 -DRELEASES=0 U4 takes the epoch that it finds, without U2 and U3
// bug: BUG_STANDALONE_KEEPS_TENURE -DSTANDALONE -DLIVES=1 -DRELEASES=0 reads the epoch before U1, but ends no tenure
 */

#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef LIVES
#define LIVES 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef RELEASES
#define RELEASES 1
#endif
#ifndef STUCKS
#define STUCKS 1
#endif
#define NUMBERS 5         /* members' numbers are 1 to 4 */

#ifdef BUG_EPOCH_OF_1_BIT
#define WORD(epoch) ((epoch) & 1)
#else
#define WORD(epoch) (epoch)
#endif

/* The partition's two words. */
byte owner_epoch, owner;          /* 0: nobody */
byte word_epoch, word_offset;

/* Members' files, by number. */
bit named[NUMBERS];
bit current[NUMBERS];             /* the incarnation is not `evicted` */
bit leased[NUMBERS];

/* Not in shared memory: what the properties speak about, and bounds. */
bit halted[NUMBERS];              /* stopped for ever; its deadline is over */
byte holder;                      /* who did T1 and has not released */
byte tenure;                      /* epoch of the last T2 */
bit foreign;                      /* a commit from outside came behind it */
bit processed[RECORDS];
byte lives = 0;                   /* numbers given */
byte stucks;
byte releases;
bit over;                         /* the commit from outside has happened, or never will */

#ifdef BUG_NO_LEASE
#define DEAD(q) false
#else
#define DEAD(q) (!leased[q])
#endif
#ifdef BUG_NO_DEADLINE
#define STUCK(q) false
#else
#define STUCK(q) (halted[q])
#endif
#ifdef BUG_EVICTED_FILE_STAYS
#define ENDED(q) false
#else
#define ENDED(q) (!current[q])
#endif
#define SICK(q) (named[q] && (ENDED(q) || (current[q] && (DEAD(q) || STUCK(q)))))
#define STRONG(q) (stucks > 0 && named[q] && current[q])
#define FREE (owner == 0 || owner == n || !named[owner])
#define FINISHED (word_offset == RECORDS && over)

#ifdef STOPS
#define STEP(label) label: atomic { if :: goto dead :: goto halt :: true fi;
#else
#define STEP(label) label: atomic { if :: goto dead :: true fi;
#endif
#define END }

/* Behind T1. From a member in good standing nobody takes. */
inline taken(number) {
	assert(holder == 0 || holder == number || !current[holder]);
	owner_epoch = se + 1; owner = number; holder = number;
}

/* T2: the epoch goes on, the offset stays. `failed` when another has taken the partition meanwhile. */
#define BEGIN_EPOCH(number, failed) \
	STEP(T2_observe) we = word_epoch; wo = word_offset END; \
T2_again: \
	if \
	:: we == WORD(e) -> goto T2_done \
	:: else \
	fi; \
	STEP(T2_owner) \
		if \
		:: owner != number || owner_epoch != e -> REACHED_OVERTAKEN; goto failed \
		:: else \
		fi \
	END; \
	STEP(T2) \
		if \
		:: word_epoch == we && word_offset == wo -> \
			word_epoch = WORD(e); tenure = e; foreign = 0; we = WORD(e) \
		:: else -> REACHED_T2_AGAIN; we = word_epoch; wo = word_offset; goto T2_again \
		fi \
	END; \
T2_done: \
	STEP(T2_behind) \
		we = 0; wo = 0; \
		if \
		:: owner != number || owner_epoch != e -> goto failed \
		:: else -> tenure = e   /* it is, but with too few bits in the word */ \
		fi \
	END

#ifdef REACH_T2_AGAIN
#define REACHED_T2_AGAIN assert(wo == word_offset)
#else
#define REACHED_T2_AGAIN skip
#endif
#ifdef REACH_OVERTAKEN
#define REACHED_OVERTAKEN assert(false)
#else
#define REACHED_OVERTAKEN skip
#endif

proctype member() {
	byte n, life, q;          /* its number, the lives it had, another's number */
	byte e, pos, done;        /* its tenure's epoch, or 0; where it reads; what it knows to be committed */
	byte se, sm, we, wo;      /* the words as it has seen them */

	/* A file with a lease gets its name. */
J2:	atomic {
		if
		:: life == LIVES -> goto last
		:: else
		fi;
		life++; lives++; n = lives;
		named[n] = 1; current[n] = 1; leased[n] = 1
	}

	/* attend(): is the membership ended, is something to be done? */
	STEP(poll) skip END;
work:	atomic {
		if
		:: !current[n] ->
lost:			leased[n] = 0; e = 0; pos = 0; done = 0; n = 0; goto J2
		:: current[n] && FINISHED -> goto finish
		:: current[n] && !FINISHED && e == 0 && FREE -> goto T0
		:: current[n] && e != 0 && pos < RECORDS -> processed[pos] = 1; pos++; goto poll
		:: current[n] && e != 0 && pos != done -> goto C1_current
		:: current[n] && e != 0 && releases > 0 -> releases--; goto H1
		:: current[n] && e == 0 && releases > 0 && life < LIVES -> releases--; goto leave
		:: current[n] && 1 != n && SICK(1) -> q = 1
		:: current[n] && 2 != n && SICK(2) -> q = 2
		:: current[n] && 3 != n && SICK(3) -> q = 3
		:: current[n] && 4 != n && SICK(4) -> q = 4
		:: current[n] && 1 != n && STRONG(1) -> q = 1; stucks--
		:: current[n] && 2 != n && STRONG(2) -> q = 2; stucks--
		:: current[n] && 3 != n && STRONG(3) -> q = 3; stucks--
		:: current[n] && 4 != n && STRONG(4) -> q = 4; stucks--
		fi;
#ifdef BUG_UNLINK_ONLY
		goto E4
#else
		/* E1 was the look above. */
		if
		:: !current[q] -> goto E4
		:: else
		fi
#endif
	}

	STEP(E2) current[q] = 0 END;
	STEP(E4) named[q] = 0; leased[q] = 0; halted[q] = 0; q = 0; goto poll END;

	/* --- taking over --- */

	STEP(T0) se = owner_epoch; sm = owner
#ifdef BUG_READ_BEFORE_T1
		; pos = word_offset
#endif
	END;
#ifndef BUG_NO_MEMBER_CHECK
	STEP(T0_member)
		if
		:: sm != 0 && sm != n && named[sm] -> goto not_taken
		:: else
		fi
	END;
#endif
#ifdef BUG_T2_BEFORE_T1
	STEP(T2_observe) we = word_epoch; wo = word_offset END;
T2_again:
	if
	:: we == se + 1 -> goto T1
	:: else
	fi;
	STEP(T2)
		if
		:: word_epoch == we && word_offset == wo -> word_epoch = se + 1; tenure = se + 1; foreign = 0
		:: else -> we = word_epoch; wo = word_offset; goto T2_again
		fi
	END;
#endif
#ifdef BUG_T1_STORE
	STEP(T1_load)
		if
		:: owner_epoch == se && owner == sm
		:: else -> goto not_taken
		fi
	END;
	STEP(T1) taken(n); e = se + 1; se = 0; sm = 0 END;
#else
	STEP(T1)
		if
		:: owner_epoch == se && owner == sm -> taken(n); e = se + 1; se = 0; sm = 0
		:: else -> goto not_taken
		fi
	END;
#endif
#ifdef BUG_READ_BEFORE_T2
	STEP(B0) pos = word_offset END;
#endif
#ifndef BUG_NO_T2
#ifndef BUG_T2_BEFORE_T1
	BEGIN_EPOCH(n, not_taken);
#endif
#endif
#ifndef NO_RECHECK
	STEP(T3)
		if
		:: !current[n] -> goto H1
		:: else
		fi
	END;
#endif
	STEP(B1)
#ifdef BUG_READ_BEFORE_T2
		done = pos;
#else
#ifdef BUG_READ_BEFORE_T1
		done = pos;
#else
		pos = word_offset; done = pos;
#endif
#endif
		we = 0; wo = 0;
#ifdef BUG_NO_T2
		tenure = e;
#endif
		goto poll
	END;

not_taken: atomic { e = 0; pos = 0; done = 0; se = 0; sm = 0; we = 0; wo = 0; goto poll }

	/* --- commit --- */

	STEP(C1_current)
		if
		:: !current[n] -> goto poll
		:: else
		fi
	END;
	STEP(C1_owner)
		if
		:: owner != n || owner_epoch != e -> goto fenced
		:: else
		fi
	END;
	STEP(C1_observe)
		we = word_epoch; wo = word_offset;
#ifndef BUG_NO_EPOCH_CHECK
#ifndef BUG_NO_T2
		if
		:: we != WORD(e) -> goto fenced
		:: else
		fi
#endif
#endif
	END;
	STEP(C1)
		if
		:: word_epoch == we && word_offset == wo ->
			assert(tenure == e);                  /* not ended by another's T2 */
			assert(!foreign);                     /* not from before a commit from outside */
			assert(pos >= word_offset);           /* not back */
			for (q : 0 .. pos - 1) { assert(processed[q]) }   /* nothing skipped */
			q = 0;
			word_offset = pos; done = pos; we = 0; wo = 0; goto poll
		:: else ->
			we = word_epoch; wo = word_offset;
#ifndef BUG_NO_EPOCH_CHECK
			if
			:: we != WORD(e) -> goto fenced
			:: else
			fi;
#endif
			goto C1
		fi
	END;

fenced: atomic {
		assert(owner != n || owner_epoch != e);
#ifdef REACH_FENCED
		assert(we == 0);
#endif
		e = 0; pos = 0; done = 0; we = 0; wo = 0; goto poll
	}

	/* --- release and leaving --- */

	STEP(H1)
		if
#ifdef BUG_RELEASE_STORE
		:: true -> owner = 0;
			assert(holder == n || holder == 0 || !current[holder]); holder = 0
#else
		:: owner == n && owner_epoch == e -> owner = 0; holder = 0
		:: else
#endif
		fi;
		e = 0; pos = 0; done = 0; goto poll
	END;

leave:	atomic { q = n; goto E2_self }
	STEP(E2_self) current[n] = 0 END;
	STEP(E4_self) named[n] = 0; q = 0; goto poll END;

dead:	atomic { leased[n] = 0; goto last }
halt:	atomic { halted[n] = 1; goto last }
finish:	atomic {
		for (q : 0 .. RECORDS - 1) { assert(processed[q]) }
	}
last:	atomic { n = 0; life = 0; q = 0; e = 0; pos = 0; done = 0; se = 0; sm = 0; we = 0; wo = 0 }
}

/* standalone::commit: sets the offset to 0 where no member has the partition. */
proctype outsider() {
	byte e, se, sm, we, wo;

#undef STEP
#define STEP(label) label: atomic { if :: goto end :: true fi;
#ifdef BUG_STANDALONE_KEEPS_TENURE
	STEP(U4_too_early) e = word_epoch END;
#endif
	STEP(U1) se = owner_epoch; sm = owner; e = (sm == 0 -> se : se + 1) END;
	STEP(U1_member)
		if
		:: sm == 0 || !named[sm] -> goto not_owned
		:: sm != 0 && named[sm] && current[sm] && leased[sm] -> goto end
		:: else
		fi
	END;
	/* A dead member is ended here as by any other. */
	STEP(U1_E2) current[sm] = 0 END;
	STEP(U1_E4) named[sm] = 0; leased[sm] = 0; halted[sm] = 0 END;
not_owned:
#ifndef BUG_STANDALONE_LATE_EPOCH
#ifndef BUG_STANDALONE_KEEPS_TENURE
	if
	:: sm == 0 -> goto no_tenure
	:: else
	fi;
	STEP(U2)
		if
		:: owner_epoch == se && owner == sm -> taken(0)
		:: else -> goto end
		fi
	END;
no_tenure:
	BEGIN_EPOCH(0, end);   /* U3 */
#endif
#endif
	STEP(U4_observe)
		we = word_epoch; wo = word_offset;
#ifdef BUG_STANDALONE_LATE_EPOCH
		e = we
#else
#ifdef BUG_STANDALONE_KEEPS_TENURE
		e = (sm == 0 -> e : we);
#endif
		if
		:: we != WORD(e) -> goto end
		:: else
		fi
#endif
	END;
	STEP(U4)
		if
		:: word_epoch == we && word_offset == wo ->
			/* No member in good standing has begun to read. */
			assert(holder == 0 || !current[holder] || tenure != owner_epoch);
			word_offset = 0; foreign = 1
		:: else ->
			we = word_epoch; wo = word_offset;
			if
			:: we == WORD(e) -> goto U4
			:: else
			fi
		fi
	END;
end:	atomic { over = 1; e = 0; se = 0; sm = 0; we = 0; wo = 0 }
}

init {
	byte m;
	atomic {
		/* Up to: one that may still leave, or be taken for stuck, is no end of a run. */
		select(stucks : 0 .. STUCKS);
		select(releases : 0 .. RELEASES);
		for (m : 1 .. MEMBERS) { run member() }
#ifdef STANDALONE
		run outsider();
#else
		over = 1;
#endif
		m = 0
	}
}
