/* The members of a group follow a topic that comes, goes and comes again, and one of them reads it.
 *
 * Mirrors steps G1 to G7, T1 and H1 of docs/protocol.md with the topics in them; in code include/leat/group/participant.hpp (catch_up,
 * adopt_assignment, has_changed, attend, give_up_all_but, take_over), subscription.hpp (remove_deleted, look, is_covered_by), assigning.hpp
 * and agreed_assignment.hpp: an assignment names the topics it rests on with their ids. How members come and go, and die, is in
 * assignment_publish.pml; how a partition passes from hand to hand, in handover_commit.pml: here it is free or not. How a topic
 * gets and loses its name is in topic_life.pml.
 *
 * One name of a topic, with one partition; each life of it has another id. Member 0 is there from the beginning, the other comes at
 * some time. Each atomic block is one access to shared memory or one system call. With -DSILENT whoever makes or deletes
 * the topic may die before telling of it; then members look once more by themselves (once a second in the code). With -DTHROWS a
 * catching-up may end with an exception at any step, once.
 *
 * Checked where nothing moves any more: where there is a topic, all members have adopted one assignment, it rests on that topic, and
 * the member to whom it gives the partition has it, and no other. `cycles`: there is no run without end.
 *
 * TOPICS_FIRST does G6 before G4, and ONCE_A_GENERATION does G7 for a new generation alone. Each holds: a topic has its name before an
 * assignment rests on it, so a look behind G4 finds it; and a look before G4 is done again when the topic is announced. The
 * code has the right order and does it again, so neither rests on the other. Without both of them a partition stays nobody's.
 *
 * Run: check.sh assignment_topics.pml, in an empty directory.
 *
// config: -DCHANGES=1
// config: -DCHANGES=2 -DEXISTS
// config: -DCHANGES=1 -DSILENT
// config: -DCHANGES=1 -DTHROWS
// config: -DCHANGES=1 -DTHROWS -DEXISTS
// config: -DCHANGES=1 -DTOPICS_FIRST -DSILENT
// config: -DCHANGES=2 -DTOPICS_FIRST -DEXISTS
// config: -DCHANGES=2 -DONCE_A_GENERATION -DEXISTS
// config: -DCHANGES=1 -DONCE_A_GENERATION -DSILENT
// cycles: -DCHANGES=1
// cycles: -DCHANGES=1 -DEXISTS
 *
// bug: REACH_AHEAD -DCHANGES=1 (not a bug, a state that must be reached) an assignment rests on a topic that its owner has not seen
// bug: REACH_OTHER -DCHANGES=2 -DEXISTS (the same) an assignment rests on a former topic of the name
 *
// bug: BUG_STRUCK_OUT -DCHANGES=1 both of TOPICS_FIRST and ONCE_A_GENERATION: what the member does not know yet is nobody's
// bug: BUG_SEEN_LATE -DCHANGES=1 topics_revision is read behind the looks
// bug: BUG_NO_LOOK -DCHANGES=1 -DSILENT members do not look by themselves
// bug: BUG_TELL_FIRST -DCHANGES=1 topics_revision advances before the topic has its name
// bug: BUG_NO_IDS -DCHANGES=2 -DEXISTS an assignment names its topics without their ids
// bug: BUG_NOT_COVERED -DCHANGES=1 nobody asks for another assignment when a topic is not in it
// bug: BUG_DONE_FIRST -DCHANGES=1 -DTHROWS a catching-up counts as done when it begins
// bug: BUG_KEEPS -DCHANGES=1 a member keeps what another is to have
 */

#ifdef BUG_STRUCK_OUT
#define TOPICS_FIRST
#define ONCE_A_GENERATION
#endif
#ifndef CHANGES
#define CHANGES 3
#endif
#ifdef EXISTS
#define FIRST 1                   /* the topic is there from the beginning */
#else
#define FIRST 0
#endif
#define MEMBERS 2
#define GENERATIONS 12
#define NEVER 255

byte named;                       /* id of the topic that has the name; 0: none */
byte revision;                    /* topics_revision */
byte generation;
bit joined[MEMBERS];
byte rests_on[GENERATIONS];       /* assignment-g: the topic's id, 0: none */
byte gives_to[GENERATIONS];       /* ... and who gets its partition, + 1; 0: there is no such assignment */
byte owner[CHANGES + FIRST + 2];          /* of each topic's partition: member + 1 */

/* Not in the store: what the properties speak about, and bounds. */
bit unlooked[MEMBERS];            /* something has changed of which nobody was told */
byte adopted[MEMBERS];            /* generation + 1 */
bit thrown;

#ifdef THROWS
#define STEP(label) label: atomic { if :: !thrown -> thrown = 1; goto threw :: true fi;
#else
#define STEP(label) label: atomic {
#endif
#define END }

inline advance() { assert(generation + 1 < GENERATIONS); generation++ }
inline advance_from(g) {
	if
	:: generation == g -> advance()
	:: else
	fi
}

proctype member(byte me) {
	byte seen, g, log, id, to;    /* log: id of the topic that it has opened */
	byte agreed_generation = NEVER, agreed_on, agreed_to;
	byte done_generation = NEVER, done_revision = NEVER;
	bit wants;

	atomic {
		if
		:: me != 0 -> joined[me] = 1; advance()    /* J2, J3: between them it is in assignment_publish.pml */
		:: else
		fi
	}

catch_up:
#ifdef BUG_DONE_FIRST
	atomic { done_generation = generation; done_revision = revision }
#endif
#ifndef BUG_SEEN_LATE
	STEP(seen_revision) seen = revision END
#endif
#ifdef TOPICS_FIRST
	goto G6;
G6_done:
#endif
	STEP(G1)
		g = generation;
		if
		:: g == agreed_generation -> goto adopted_it
		:: else
		fi
	END
	STEP(G1_file)
		if
		:: gives_to[g] != 0 -> goto G4
		:: else
		fi
	END
	STEP(G2)
		id = named;
		/* Assignors need not agree. */
		if
		:: to = 1
		:: joined[1] -> to = 2
		fi
	END
	STEP(G3)
		if
		:: gives_to[g] == 0 ->
			rests_on[g] = id; gives_to[g] = to;
			for (to : 1 .. g) { rests_on[to - 1] = 0; gives_to[to - 1] = 0 }   /* earlier ones are removed */
		:: else
		fi;
		id = 0; to = 0
	END
	/* Read, and then the generation is looked at again. */
	STEP(G4)
		if
		:: generation != g -> goto G1
		:: else -> agreed_generation = g; agreed_on = rests_on[g]; agreed_to = gives_to[g]
#ifdef REACH_AHEAD
			; assert(agreed_to != me + 1 || agreed_on == 0 || log == agreed_on)
#endif
		fi
	END
adopted_it:
	atomic { g = 0 }
#ifndef TOPICS_FIRST
	goto G6;
G6_done:
#endif
#ifdef ONCE_A_GENERATION
	atomic {
		if
		:: done_generation == agreed_generation -> goto counted
		:: else
		fi
	}
#endif
	/* By its name: where the topic is another one, there will be another generation. */
	STEP(G7_release)
#ifdef REACH_OTHER
		assert(agreed_on == 0 || log == 0 || agreed_on == log);
#endif
		wants = (agreed_to == me + 1 && agreed_on != 0 && log != 0);
#ifndef BUG_KEEPS
		if
		:: !wants && log != 0 && owner[log] == me + 1 && done_generation != agreed_generation -> owner[log] = 0
		:: else
		fi
#endif
	END
	STEP(G7_take)
		if
		:: wants && owner[log] == 0 -> owner[log] = me + 1
		:: else
		fi;
		wants = (wants && owner[log] != me + 1)
	END
#ifdef BUG_SEEN_LATE
	STEP(seen_revision) seen = revision END
#endif
counted: atomic {
		done_revision = seen; done_generation = agreed_generation; seen = 0; adopted[me] = agreed_generation + 1
	}

	/* Polls: has something changed, is something free? */
end_wait: atomic {
		if
		:: generation != done_generation || revision != done_revision -> goto catch_up
		:: generation == done_generation && revision == done_revision && wants && owner[log] == 0 ->
			owner[log] = me + 1; wants = 0; goto end_wait
#ifndef BUG_NO_LOOK
		:: unlooked[me] -> unlooked[me] = 0; done_revision = NEVER; goto catch_up
#endif
		fi
	}

	/* G6: topics that have lost their names, and those that have come. */
G6:
	STEP(G6_deleted)
		if
		:: log != 0 && named != log ->
			id = log; log = 0; wants = 0;
			if
			:: owner[id] == me + 1 -> owner[id] = 0
			:: else
			fi
		:: else
		fi
	END
	STEP(G6_rests)
		if
		:: id != 0 && id == agreed_on -> advance_from(agreed_generation)
		:: else
		fi;
		id = 0
	END
	STEP(G6_look)
		if
		:: log == 0 -> log = named
		:: else
		fi
	END
	STEP(G6_covered)
#ifndef BUG_NOT_COVERED
		if
#ifdef BUG_NO_IDS
		:: log != 0 && agreed_on == 0 -> advance_from(agreed_generation)
#else
		:: log != 0 && agreed_on != log -> advance_from(agreed_generation)
#endif
		:: else
		fi;
#endif
		goto G6_done
	END

	/* What it holds it holds; the next poll does all of it again. */
threw:	atomic { seen = 0; g = 0; id = 0; to = 0; goto end_wait }
}

/* Makes the topic, deletes it, and makes it again. */
proctype world() {
	byte change = named;

	do
	:: change == CHANGES + FIRST -> break
	:: else ->
#ifdef BUG_TELL_FIRST
		atomic { revision++ }
#endif
		atomic {
			named = (named != 0 -> 0 : change + 1);
			change++;
#ifdef SILENT
			unlooked[0] = 1; unlooked[1] = 1
#endif
		}
#ifndef BUG_TELL_FIRST
		atomic {
			if
			:: revision++
#ifdef SILENT
			:: true    /* it died */
#endif
			fi
		}
#endif
	od;
	change = 0
}

/* Where nothing moves any more. */
proctype checker() {
	byte m;

	atomic {
		timeout;
		for (m : 0 .. MEMBERS - 1) {
			assert(named == 0 || adopted[m] == generation + 1);
			assert(named == 0 || (rests_on[generation] == named && owner[named] == gives_to[generation]))
		}
		m = 0
	}
}

init {
	atomic {
		joined[0] = 1; named = FIRST;
		run member(0);
		run member(1);
		run world();
		run checker()
	}
}
