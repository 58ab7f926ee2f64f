/* The members of a group agree on an assignment for each generation, with death and stop at any step.
 *
 * Mirrors steps J2, J3, E1 to E4 and G1 to G5 of docs/protocol.md; in code include/leat/group/group_files.hpp (join,
 * members, forget, assignment, publish), include/leat/group/member_file.hpp (look, evict, leave) and
 * include/leat/group/participant.hpp (adopt_assignment, watch, leave). An assignment is here the set of members that it gives
 * all partitions to, and who computed it: assignors need not agree. How partitions pass from one to another is in
 * handover_commit.pml; G6 and G7, with topics that come and go, are in assignment_topics.pml.
 *
 * Each atomic block is one access to shared memory or one system call; before each of them a member may die (the kernel
 * drops its lease), or stop for ever (it keeps the lease, and its deadline passes). A directory is listed name by name. A
 * tool (-DTOOL) lists the members once, and removes what it finds ended, as everybody does who lists them; it may die
 * there.
 *
 * Checked where nothing moves any more: every survivor has adopted one and the same assignment, that of the last
 * generation, and its members are the survivors. What is adopted in a generation is always the same. `cycles`: there is
 * no run without end.
 *
 * Bounded: each member joins once, one leaves (LEAVES), and at most STUCKS living ones are taken for stuck (they do not
 * come back: a number is never given again, so who comes back is one of the others, joining late). Memory is sequentially
 * consistent.
 *
 * Run: check.sh assignment_publish.pml, in an empty directory.
 *
// config: -DMEMBERS=2 -DTOOL -DSTUCKS=0
// config: -DMEMBERS=2 -DSTOPS
// config: -DMEMBERS=3 -DEARLY=2 -DSTUCKS=0 -DLEAVES=0 -DDEATHS=1
// cycles: -DMEMBERS=2
 *
// bug: REACH_SECOND -DMEMBERS=2 (not a bug, a state that must be reached) a member finds the assignment of another published
// bug: REACH_PAST -DMEMBERS=2 (the same) an assignment is published for a generation of the past
 *
// bug: BUG_JOIN_SILENT -DMEMBERS=2 J3 is left out
// bug: BUG_JOIN_TELLS_FIRST -DMEMBERS=2 J3 before J2
// bug: BUG_END_SILENT -DMEMBERS=2 E3 is left out
// bug: BUG_E4_BEFORE_E3 -DMEMBERS=2 the file is removed before the generation advances, by the one who removed it
// bug: BUG_E3_BY_WATCHERS -DMEMBERS=2 -DTOOL the same, but watchers who find it removed advance the generation
// bug: BUG_PUBLISH_REPLACES -DMEMBERS=2 G3 replaces the assignment of another
// bug: BUG_NO_SECOND_LOOK -DMEMBERS=2 -DSTOPS G4 does not look at the generation again, although assignments are removed
// bug: BUG_OWN_ASSIGNMENT -DMEMBERS=2 a publisher keeps to its own assignment
// bug: BUG_COMPUTE_FIRST -DMEMBERS=2 the generation is read behind the computing
// bug: BUG_LIST_BEFORE_READ -DMEMBERS=2 who is looked after is listed before the generation is read
// bug: BUG_NO_DEADLINE -DMEMBERS=2 -DSTOPS nobody looks for the stuck
 */

#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef EARLY
#define EARLY 0           /* members that are there, and told, from the beginning */
#endif
#ifndef STUCKS
#define STUCKS 1
#endif
#ifndef DEATHS
#define DEATHS MEMBERS
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#define GENERATIONS 16
#define BIT(m) (1 << (m))

byte generation;
byte members_of[GENERATIONS];     /* assignment-g: a set of members; 0: there is none */
byte author[GENERATIONS];

/* The members' files. */
bit named[MEMBERS];
bit current[MEMBERS];
bit leased[MEMBERS];

/* Not in shared memory: what the properties speak about, and bounds. */
bit halted[MEMBERS];
byte adopted[MEMBERS];            /* generation + 1 */
byte adopted_members[MEMBERS];
byte adopted_author[MEMBERS];
byte stucks;
byte deaths = DEATHS;
byte leaves;

#ifdef STOPS
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: deaths > 0 -> goto halt :: true fi;
#else
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: true fi;
#endif
#define END }

#ifdef BUG_NO_DEADLINE
#define STUCK(m) false
#else
#define STUCK(m) (halted[m])
#endif
#define SICK(m) ((peers & BIT(m)) && (!current[m] || !leased[m] || STUCK(m)))
#define ALIVE(m) (named[m] && current[m] && leased[m] && !halted[m])

inline advance() {
	assert(generation + 1 < GENERATIONS);
	generation++
}

proctype member(byte me) {
	byte g, i, q, set, peers, got, by;
	bit early = (me < EARLY);
	byte listing;              /* 0: computing; 1: whom to look after; 2: not */

	if
	:: early -> goto G1
	:: else
	fi;
#ifdef BUG_JOIN_TELLS_FIRST
	STEP(J3) advance() END;
#endif
	STEP(J2) named[me] = 1; current[me] = 1; leased[me] = 1 END;
#ifndef BUG_JOIN_TELLS_FIRST
#ifndef BUG_JOIN_SILENT
	STEP(J3) advance() END;
#endif
#endif

G1:
#ifdef BUG_COMPUTE_FIRST
	listing = 0; i = 0; set = 0; goto list;
G1_behind:
#endif
#ifdef BUG_LIST_BEFORE_READ
	listing = 1; i = 0; peers = 0; goto list;
G1_behind:
#endif
	STEP(G1_generation) g = generation END;
	STEP(G1_file)
		if
		:: members_of[g] != 0 -> got = members_of[g]; by = author[g];
#ifdef REACH_SECOND
			assert(by == me);
#endif
			goto G4
		:: else
		fi
	END;
#ifndef BUG_COMPUTE_FIRST
	listing = 0; i = 0; set = 0;
#else
	goto G3;
#endif

	/* members(): name by name; what has ended is dealt with. */
list:	if
	:: i == MEMBERS -> goto listed
	:: else
	fi;
	STEP(list_one)
		if
		:: !named[i] -> i++; goto list
		:: named[i] && current[i] ->
			if
			:: listing -> peers = peers | BIT(i)
			:: else -> set = set | BIT(i)
			fi;
			i++; goto list
		:: named[i] && !current[i] -> q = i; i++; goto E3
		fi
	END;
listed:	atomic {
		i = 0;
		if
		:: listing -> peers = peers & ~BIT(me);
#ifdef BUG_LIST_BEFORE_READ
			goto G1_behind
#else
			goto poll
#endif
		:: else ->
#ifdef BUG_COMPUTE_FIRST
			goto G1_behind
#endif
		fi
	}

	/* Nobody: it has itself been ended, and publishes an assignment that lacks it, as everybody might. */
G3:	if
	:: set == 0 -> goto poll
	:: else
	fi;
	STEP(G3_publish)
#ifdef REACH_PAST
		assert(g == generation || members_of[g] != 0);
#endif
		if
#ifdef BUG_PUBLISH_REPLACES
		:: true ->
#else
		:: members_of[g] != 0 -> goto G4_read
		:: else ->
#endif
			members_of[g] = set; author[g] = me
		fi
	END;
	/* Earlier ones are removed, one by one. */
	i = 0;
	do
	:: i < g && members_of[i] == 0 -> i++
	:: i < g && members_of[i] != 0 -> STEP(G3_remove) members_of[i] = 0; author[i] = 0; i++ END
	:: else -> i = 0; break
	od;

G4_read:
	STEP(G4_file)
#ifdef BUG_OWN_ASSIGNMENT
		got = set; by = me
#else
		got = members_of[g]; by = author[g]
#endif
	END;
G4:	atomic { set = 0 }
	STEP(G4_generation)
		if
#ifndef BUG_NO_SECOND_LOOK
		:: generation != g -> got = 0; by = 0; goto G1
#endif
		:: got == 0 -> goto G1
		:: else
		fi;
		for (q : 0 .. MEMBERS - 1) {
			assert(adopted[q] != g + 1 || (adopted_members[q] == got && adopted_author[q] == by))
		}
		q = 0;
		adopted[me] = g + 1; adopted_members[me] = got; adopted_author[me] = by; got = 0; by = 0
	END;
#ifndef BUG_LIST_BEFORE_READ
	listing = 1; peers = 0; i = 0; goto list;
#endif

	/* A poll: has it been ended, is there a generation, does a look find somebody dead? Else it waits. */
	STEP(poll) skip END;
end_wait: atomic {
		if
		:: !current[me] -> goto last
		:: current[me] && generation != g -> goto G1
		:: current[me] && leaves > 0 -> leaves--; q = me; goto E2
		:: current[me] && SICK(0) && 0 != me -> q = 0
		:: current[me] && SICK(1) && 1 != me -> q = 1
#if MEMBERS > 2
		:: current[me] && SICK(2) && 2 != me -> q = 2
#endif
		:: current[me] && stucks > 0 && (peers & BIT(0)) && ALIVE(0) -> stucks--; q = 0
		:: current[me] && stucks > 0 && (peers & BIT(1)) && ALIVE(1) -> stucks--; q = 1
		fi;
		listing = 2
	}
	atomic {
		if
		:: !current[q] -> goto E3
		:: else
		fi
	}
	STEP(E2)
		if
		:: current[q] -> current[q] = 0; listing = 2
		:: else ->   /* by another: the next look finds that; or this member itself */
			if
			:: q == me -> goto last
			:: q != me -> q = 0; listing = 0; goto poll
			fi
		fi
	END;
E3:
#ifdef BUG_E4_BEFORE_E3
#define E4_FIRST
#endif
#ifdef BUG_E3_BY_WATCHERS
#define E4_FIRST
#endif
#ifdef E4_FIRST
	STEP(E4)
		if
		:: named[q] -> named[q] = 0
		:: else -> goto told
		fi
	END;
	STEP(E3_tell) advance() END;
#else
	STEP(E3_look)
		if
		:: !named[q] -> goto ended
		:: else
		fi
	END;
#ifndef BUG_END_SILENT
	STEP(E3_tell) advance() END;
#endif
	STEP(E4) named[q] = 0 END;
#endif
#ifdef E4_FIRST
told:
#endif
#ifdef BUG_E3_BY_WATCHERS
	if
	:: listing == 2 && q != me ->
		STEP(E3_watcher)
			if
			:: generation == g -> advance()
			:: else
			fi
		END
	:: else
	fi;
#endif
ended:	atomic {
		if
		:: listing != 2 -> q = 0; goto list
		:: listing == 2 && q == me -> goto last
		:: listing == 2 && q != me -> peers = peers & ~BIT(q); q = 0; listing = 0; goto poll
		fi
	}

dead:	atomic { deaths--; leased[me] = 0; goto last }
halt:	atomic { deaths--; halted[me] = 1; goto last }
last:	atomic { g = 0; i = 0; q = 0; set = 0; peers = 0; got = 0; by = 0; early = 0; listing = 0 }
}

/* Lists the members once, and deals with those that have ended. */
proctype tool() {
	byte i;

#undef STEP
#define STEP(label) label: atomic { if :: goto end :: true fi;
list:	if
	:: i == MEMBERS -> goto end
	:: else
	fi;
	STEP(list_one)
		if
		:: named[i] && !current[i]
		:: else -> i++; goto list
		fi
	END;
#ifdef E4_FIRST
	STEP(E4)
		if
		:: named[i] -> named[i] = 0
		:: else -> i++; goto list
		fi
	END;
	STEP(E3) advance() END;
#else
	STEP(E3_look)
		if
		:: !named[i] -> i++; goto list
		:: else
		fi
	END;
#ifndef BUG_END_SILENT
	STEP(E3) advance() END;
#endif
	STEP(E4) named[i] = 0 END;
#endif
	i++;
	goto list;
end:	i = 0
}

/* Where nothing moves any more. */
proctype checker() {
	byte m, living;

	atomic {
		timeout;
		for (m : 0 .. MEMBERS - 1) {
			if
			:: ALIVE(m) -> living = living | BIT(m)
			:: else
			fi
		}
		for (m : 0 .. MEMBERS - 1) {
			if
			:: ALIVE(m) ->
				assert(adopted[m] == generation + 1);
				assert(adopted_members[m] == living)
			:: else
			fi
		}
		m = 0; living = 0
	}
}

init {
	byte m;
	atomic {
		/* Up to: one that may still leave does not wait for ever. */
		select(stucks : 0 .. STUCKS);
		select(leaves : 0 .. LEAVES);
		for (m : 0 .. MEMBERS - 1) {
			if
			:: m < EARLY -> named[m] = 1; current[m] = 1; leased[m] = 1
			:: else
			fi;
			run member(m)
		}
#ifdef TOOL
		run tool();
#endif
		run checker();
		m = 0
	}
}
