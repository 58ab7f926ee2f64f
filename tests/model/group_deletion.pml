/* A group is deleted while others commit for it, finish the deletion, and make the next of its name, with death and stop at any step.
 *
 * Mirrors Y1 to Y4 of docs/protocol.md ("Deletion"), with J1 to J3, T0 to T3, B1, C1, H1 and U1 to U3 as far as they meet it; in code
 * include/leat/group/group_files.hpp (open_or_create, begin_deletion, finish_deletion, remove_orphan, clear_topics),
 * standalone.hpp (commit, try_commit), participant.hpp (try_take, begin_reading, begin_new_partitions) and
 * include/leat/storage/group_offsets.hpp (take, commit_unowned, begin, begin_for_all, end, clear, remove_if_unused,
 * is_kept). How a group gets its name
 * is in topic_life.pml, how members of one group pass a partition on in handover_commit.pml. With -DQUICK all but the first
 * deleter do Y2 to Y4 in one step, so that three processes can be searched: one deleter is stopped anywhere, the others are not.
 *
 * One name of groups, one topic with one partition. A group's directory has the name or not, and its file is in it or not; whoever has
 * opened either has it whatever becomes of it. So it is with the files of offsets: their words stay when the name is lost.
 * Numbers of members begin at 1 in each group, so those of two groups are the same. An offset is told by the group that put it
 * there: in `committed` and `begun` stands the group's number, and 0 for nothing.
 *
 * Each atomic block is one system call or one access to shared memory; before each of them a process may die (the kernel drops its
 * flock), or, with -DSTOPS, stop for ever (it keeps it). Deleters ask for the deletion and finish it; a cleaner takes the file of
 * a group without a directory if nothing stands in it, and finishes deletions; committers are no members and commit COMMITS
 * times; members join, take the partition, begin, commit, and release. The latter two make the group anew when theirs is deleted.
 * Any member may be a stopped one that was ended as stuck: so a deletion may be asked for at any time (Y1 looks for living members,
 * which only leaves some of these runs out). The looks at `removal` in take() and commit_unowned() before they put anything into the
 * file are not here: they spare epochs.
 *
 * Checked: a commit that was told to be good is in the file that has the name, for as long as nobody has asked for the deletion of
 * its group. Whoever begins to read finds no offset of a group before its own, neither committed nor begun. Nobody
 * takes the partition from a member of another group, unless that is being deleted. When
 * delete_group() returns, nothing that the group which it has marked had committed, or begun at, is in the file that has the name. Only a
 * group that is being deleted loses its name. Nobody waits but for who has the lock on a file of offsets, and is between raising
 * `removal` and the unlink: everybody else comes to an end, whoever has died or is stopped (spin reports who does not). At the end,
 * without deaths and stops, nothing is committed or begun where no group has the name; and whatever happened, deleting what is
 * left leaves no file, unless one was stopped with the lock on it.
 *
 * Bounded: DEATHS deaths (or stops), one life a member. Epochs are whole here, 11 bits in the code (handover_commit.pml shows
 * what the bits are for). Metadata of commits is not here. Memory is sequentially consistent: the removal handshake, the one
 * place where two words meet, is of exchanges on both sides.
 *
 * NO_T3 leaves out T3's look at the mark, and everything holds: since T0 is followed by one, T1 is of a file that Y2 comes to.
 *
 * Run: check.sh group_deletion.pml, in an empty directory.
 *
// config: -O0 -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1
// config: -DMEMBERS=1 -DNEW_PARTITION -DENDS_IN_ORDER -DSTOPS -DDEATHS=1
// config: -O0 -DDELETERS=2 -DSTOPS -DDEATHS=1
// config: -O0 -DCLEANERS=1 -DSTOPS -DDEATHS=1
// config: -O0 -DQUICK -DDELETERS=2 -DCOMMITTERS=1
// config: -DQUICK -DDELETERS=2 -DMEMBERS=1
// config: -O0 -DQUICK -DCLEANERS=1 -DCOMMITTERS=1
// config: -O0 -DQUICK -DCLEANERS=1 -DMEMBERS=1
// config: -DQUICK -DCOMMITTERS=1 -DMEMBERS=1
// config: -DQUICK -DMEMBERS=2 -DNO_T3
 *
// bug: REACH_EMPTIED -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 (not a bug, a state that must be reached) the name leads to no group file
// bug: REACH_IN_USE -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 (the same) Y3 finds the offsets of the next group
// bug: REACH_LOWERED -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 (the same) a committer lowers the word of a dead one
// bug: REACH_GONE -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 (the same) a committer finds that its file has lost its name
// bug: REACH_BUSY -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 (the same) a committer finds the lock taken
 *
// bug: BUG_NAME_FIRST -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 the group loses its name before it is cleared
// bug: BUG_RENAME -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y4 by a rename: a deleter that was stopped takes the directory of the next group away
// bug: BUG_NO_LOOK_BEFORE_CLEARING -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y2 does not look whether the group is there
// bug: BUG_LOOK_BEFORE_READING -DQUICK -DDELETERS=2 -DMEMBERS=1 Y2 looks before it reads the words
// bug: BUG_CLEAR_KEEPS_EPOCH -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y2 begins no epoch
// bug: BUG_CLEAR_STORES -DQUICK -DDELETERS=2 -DMEMBERS=1 Y2 stores into the committed word
// bug: BUG_BEGUN_ANEW -DMEMBERS=1 -DNEW_PARTITION -DENDS_IN_ORDER -DSTOPS -DDEATHS=1 Y2 leaves the mark of where a group began as it was at first
// bug: BUG_BEGUN_BY_ANYBODY -DMEMBERS=1 -DNEW_PARTITION -DENDS_IN_ORDER -DSTOPS -DDEATHS=1 B1 looks at the owner only before it
// bug: BUG_NO_LOCK -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y3 without the lock on the file
// bug: BUG_NAME_UNCHECKED -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y3 unlinks what has the name by now
// bug: BUG_RAISE_BEHIND -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y3 raises the word behind its look at the others
// bug: BUG_NO_LOOK_AT_WORDS -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 Y3 looks at no words
// bug: BUG_NO_KEPT -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 nobody looks at `removal` behind what it has put into the file
// bug: BUG_KEPT_WITHOUT_LOCK -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 the same, and at the name, but without the lock
// bug: BUG_NO_SECOND_LOOK -DCOMMITTERS=1 -DCOMMITS=2 -DSTOPS -DDEATHS=1 a committer does not look behind the owner whether its group is being deleted
// bug: BUG_NO_LOOK_BEFORE_T1 -DQUICK -DMEMBERS=2 a member does not look behind T0 whether its group is being deleted
 */

#ifndef DELETERS
#define DELETERS 1
#endif
#ifndef CLEANERS
#define CLEANERS 0
#endif
#ifndef COMMITTERS
#define COMMITTERS 0
#endif
#ifndef MEMBERS
#define MEMBERS 0
#endif
#ifndef COMMITS
#define COMMITS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#define ACTORS (DELETERS + CLEANERS + COMMITTERS + MEMBERS)
#define TIDIER ACTORS
#define GROUPS 7
#define FILES  7

/* Directories of groups. Number 0 is none. */
byte named;                       /* which one has the name */
byte groups;                      /* how many there have been */
bit deletion[GROUPS + 1];         /* the mark in the generation */
bit whole[GROUPS + 1];            /* the group file is in it */
byte made[GROUPS + 1];            /* numbers of members given */
byte present[GROUPS + 1];         /* members' files, a bit for each */

/* Files of offsets. */
byte file_named;
byte files;
byte owner_epoch[FILES + 1], owner[FILES + 1];
byte committed_epoch[FILES + 1], committed[FILES + 1];
byte begun_epoch[FILES + 1], begun[FILES + 1];
bit removal[FILES + 1];
byte lock[FILES + 1];             /* process + 1 */

/* Not in the store: what the properties speak about, and bounds. */
byte holder[FILES + 1];           /* the group whose member has last taken the partition */
byte good;                        /* the group whose commit was good; 0 when it has been asked to be deleted */
byte deaths = DEATHS;
bit died;
bit halted[ACTORS + 1];
byte over;

#ifdef STOPS
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: deaths > 0 -> goto halt :: true fi;
#else
#define STEP(label) label: atomic { if :: deaths > 0 -> goto dead :: true fi;
#endif
#define END }
#ifdef REACH_IN_USE
#define REACHED_IN_USE assert(committed[f] != good)
#else
#define REACHED_IN_USE skip
#endif
#ifdef REACH_LOWERED
#define REACHED_LOWERED assert(false)
#else
#define REACHED_LOWERED skip
#endif
#ifdef REACH_GONE
#define REACHED_GONE assert(false)
#else
#define REACHED_GONE skip
#endif
#ifdef REACH_BUSY
#define REACHED_BUSY assert(false)
#else
#define REACHED_BUSY skip
#endif

/* Before it is taken from the owner that was seen. Members of one group: see handover_commit.pml. */
inline nobody_loses(mine) {
	assert(om == 0 || holder[f] == mine || deletion[holder[f]] || !(present[holder[f]] & (1 << om)))
}

/* Behind whatever takes something away. */
inline good_is_there() {
	assert(good == 0 || (file_named != 0 && committed[file_named] == good))
}

inline unlock(me) {
	for (j : 1 .. FILES) {
		if :: lock[j] == me + 1 -> lock[j] = 0 :: else fi
	}
	j = 0
}

/* Makes the directory of a group whole, and gives it the name unless there is one. Steps M in topic_life.pml. */
inline make_group(mark) {
	if
	:: named == 0 -> assert(groups < GROUPS); groups++; named = groups; whole[named] = 1; deletion[named] = mark
	:: else
	fi
}

/* The mark and the name, in this order: the mark alone does not go back, so looking at both at once leaves nothing out. */
#define IS_CLEARING(x) (deletion[x] && named == x)

/* remove_if_unused() of the file f. What has the name is opened, and locked. */
#define Y3(L, next) \
	STEP(L##_lock) \
		oe = 0; om = 0; ce = 0; cv = 0; be = 0; bv = 0; \
		r = file_named; \
		if \
		:: r == 0 -> f = 0; goto next \
		:: else \
		fi \
	END \
	STEP(L##_try_own) \
		if \
		:: CANNOT_LOCK(r) -> r = 0; f = 0; goto next \
		:: else -> DO_LOCK(r) \
		fi \
	END \
	STEP(L##_is_named) if :: IS_ANOTHER(r) -> goto L##_unlock :: else fi END \
	Y3_LOOKS(L) \
	STEP(L##_unlink) UNLINK; good_is_there() END \
	goto L##_unlock; \
	STEP(L##_lower) REACHED_IN_USE; removal[f] = 0 END \
	STEP(L##_unlock) unlock(me); r = 0; f = 0 END

/* finish_deletion(): d is the group's directory. */
#define FINISH(L, next) \
	STEP(L##_open) d = named; if :: d == 0 -> goto next :: else fi END \
	STEP(L##_file) \
		if \
		:: !whole[d] -> FINISH_NO_FILE(L) \
		:: whole[d] && !deletion[d] -> d = 0; goto next \
		:: else -> FINISH_FIRST \
		fi \
	END \
	/* Y2 */ \
	STEP(L##_find) \
		f = file_named; \
		if \
		:: f == 0 || NOT_DUE(d) -> f = 0; goto L##_Y4 \
		:: else \
		fi \
	END \
	LOOK_TOO_EARLY(L) \
	STEP(L##_owner) oe = owner_epoch[f]; om = owner[f] END \
	STEP(L##_committed) ce = committed_epoch[f]; cv = committed[f] END \
	STEP(L##_begun) be = begun_epoch[f]; bv = begun[f] END \
	LOOK(L) \
	STEP(L##_Y2_owner) \
		if \
		:: owner_epoch[f] == oe && owner[f] == om -> nobody_loses(d); CLEAR_OWNER \
		:: else -> goto L##_owner \
		fi \
	END \
	STEP(L##_Y2_committed) \
		if \
		:: CAN_CLEAR_COMMITTED -> committed_epoch[f] = oe CLEARED_EPOCH; committed[f] = 0; good_is_there() \
		:: else -> goto L##_owner \
		fi \
	END \
	STEP(L##_Y2_begun) CLEAR_BEGUN(L) END \
	Y3(L, L##_Y4) \
L##_Y4: \
	FINISH_Y4(L)

#ifdef BUG_NAME_FIRST
#define FINISH_FIRST whole[d] = 0; if :: named == d -> named = 0 :: else fi
#else
#define FINISH_FIRST skip
#endif
#ifdef BUG_NAME_FIRST
#define NOT_DUE(x) false
#else
#ifdef BUG_NO_LOOK_BEFORE_CLEARING
#define NOT_DUE(x) false
#else
#define NOT_DUE(x) (!IS_CLEARING(x))
#endif
#endif
#ifdef BUG_LOOK_BEFORE_READING
#define LOOK_TOO_EARLY(L) STEP(L##_due) if :: NOT_DUE(d) -> goto L##_lock :: else fi END
#define LOOK(L)
#else
#define LOOK_TOO_EARLY(L)
#define LOOK(L) STEP(L##_due) if :: NOT_DUE(d) -> goto L##_lock :: else fi END
#endif
#ifdef BUG_CLEAR_KEEPS_EPOCH
#define CLEARED_EPOCH
#else
#define CLEARED_EPOCH + 1
#endif
#define CLEAR_OWNER owner_epoch[f] = oe CLEARED_EPOCH; owner[f] = 0
#ifdef BUG_CLEAR_STORES
#define CAN_CLEAR_COMMITTED true
#else
#define CAN_CLEAR_COMMITTED (committed_epoch[f] == ce && committed[f] == cv)
#endif
#ifdef BUG_BEGUN_ANEW
/* As nobody had begun: {0, nothing}, and left alone where nothing stands. */
#define CLEAR_BEGUN(L) \
		if \
		:: bv == 0 \
		:: bv != 0 && begun_epoch[f] == be && begun[f] == bv -> begun_epoch[f] = 0; begun[f] = 0 \
		:: else -> goto L##_owner \
		fi
#else
#define CLEAR_BEGUN(L) \
		if \
		:: begun_epoch[f] == be && begun[f] == bv -> begun_epoch[f] = oe CLEARED_EPOCH; begun[f] = 0 \
		:: else -> goto L##_owner \
		fi
#endif

#ifdef BUG_NO_LOCK
#define CANNOT_LOCK(x) false
#define DO_LOCK(x) skip
#else
#define CANNOT_LOCK(x) (lock[x] != 0)
#define DO_LOCK(x) lock[x] = me + 1
#endif
#ifdef BUG_NAME_UNCHECKED
#define IS_ANOTHER(x) false
#else
#define IS_ANOTHER(x) (file_named != f || x != f)
#endif
#ifdef BUG_NO_LOCK
#define UNLINK file_named = 0
#else
#ifdef BUG_NAME_UNCHECKED
#define UNLINK file_named = 0
#else
#define UNLINK assert(file_named == f); file_named = 0
#endif
#endif
#define Y3_WORDS(L) \
	STEP(L##_Y3_owner) if :: owner[f] != 0 -> goto L##_lower :: else fi END \
	STEP(L##_Y3_committed) if :: committed[f] != 0 -> goto L##_lower :: else fi END \
	STEP(L##_Y3_begun) if :: begun[f] != 0 -> goto L##_lower :: else fi END
#ifdef BUG_RAISE_BEHIND
#define Y3_LOOKS(L) Y3_WORDS(L) STEP(L##_raise) removal[f] = 1 END
#else
#ifdef BUG_NO_LOOK_AT_WORDS
#define Y3_LOOKS(L) STEP(L##_raise) removal[f] = 1 END
#else
#define Y3_LOOKS(L) STEP(L##_raise) removal[f] = 1 END Y3_WORDS(L)
#endif
#endif

#ifdef BUG_RENAME
/* Y4 by the name: one that was stopped takes the next group's. */
#define FINISH_NO_FILE(L) assert(false)
#define FINISH_Y4(L) \
	STEP(L##_named) if :: named != d -> goto L##_open :: else fi END \
	STEP(L##_rename) d = named; named = 0 END \
	STEP(L##_close) deletion[d] = 1; goto L##_open END
#else
#ifdef REACH_EMPTIED
#define FINISH_NO_FILE(L) assert(false)
#else
#define FINISH_NO_FILE(L) goto L##_rmdir
#endif
/* Its files through what was opened, then the directory by its name, which the kernel removes only when it is empty. */
#define FINISH_Y4(L) \
	STEP(L##_files) whole[d] = 0 END \
	STEP(L##_rmdir) \
		if \
		:: named != 0 && !whole[named] -> assert(deletion[named]); named = 0 \
		:: else \
		fi; \
		d = 0; goto L##_open \
	END
#endif

#ifdef QUICK
#define FINISH_AS_OTHER(L, next) STEP(L##_open) finish_at_once(); goto next END
#else
#define FINISH_AS_OTHER(L, next) FINISH(L, next)
#endif
inline finish_at_once() {
	d = named;
	if
	:: d == 0 || (whole[d] && !deletion[d])
	:: else ->
		f = file_named;
		if
		:: f != 0 ->
			owner_epoch[f] = owner_epoch[f] + 1; owner[f] = 0;
			committed_epoch[f] = owner_epoch[f]; committed[f] = 0;
			begun_epoch[f] = owner_epoch[f]; begun[f] = 0
		:: else
		fi;
		if
		:: f != 0 && lock[f] == 0 -> removal[f] = 1; file_named = 0
		:: else
		fi;
		whole[d] = 0; named = 0;
		good_is_there()
	fi;
	d = 0; f = 0
}

/* open_or_create(): g is the group. */
#define OPEN_GROUP(L, next) \
	STEP(L##_open_group) g = named; if :: g == 0 -> goto L##_make_group :: else fi END \
	STEP(L##_look) \
		if \
		:: whole[g] && !deletion[g] -> goto next \
		:: else -> g = 0 \
		fi \
	END \
	FINISH_AS_OTHER(L, L##_make_group) \
	STEP(L##_make_group) make_group(0); goto L##_open_group END

/* The file of offsets f, opened or made. */
#define OPEN_OFFSETS(L) \
	STEP(L##_open_offsets) f = file_named; if :: f != 0 -> goto L##_opened :: else fi END \
	STEP(L##_make_offsets) \
		if \
		:: file_named == 0 -> assert(files < FILES); files++; file_named = files \
		:: else \
		fi; \
		goto L##_open_offsets \
	END \
L##_opened:

/* T2 for {e, number}. */
#define BEGIN_EPOCH(L, number, failed) \
	STEP(L##_T2_observe) ce = committed_epoch[f]; cv = committed[f] END \
L##_T2_again: \
	if \
	:: ce == e -> goto L##_T2_behind \
	:: else \
	fi; \
	STEP(L##_T2_owner) if :: owner[f] != number || owner_epoch[f] != e -> goto failed :: else fi END \
	STEP(L##_T2) \
		if \
		:: committed_epoch[f] == ce && committed[f] == cv -> committed_epoch[f] = e; ce = e \
		:: else -> ce = committed_epoch[f]; cv = committed[f]; goto L##_T2_again \
		fi \
	END \
	STEP(L##_T2_behind) ce = 0; cv = 0; if :: owner[f] != number || owner_epoch[f] != e -> goto failed :: else fi END

#ifdef BUG_BEGUN_ANEW
#define BEGIN_EPOCH_0 ; begun_epoch[f] = 0
#define BEGUN_END_EPOCH ; begun_epoch[f] = 0
#else
#define BEGIN_EPOCH_0
#define BEGUN_END_EPOCH
#endif

/* Waits for who has the lock, unless it is stopped for ever: then it gives up (persist()). */
#ifdef BUG_NO_KEPT
#define IS_KEPT(L, again) skip;
#else
#ifdef BUG_KEPT_WITHOUT_LOCK
#define IS_KEPT(L, again) \
	STEP(L##_kept) if :: !removal[f] -> goto L##_is_kept :: else fi END \
	STEP(L##_kept_named) if :: file_named != f -> f = 0; goto again :: else fi END \
L##_is_kept:
#else
#define IS_KEPT(L, again) \
	STEP(L##_kept) if :: !removal[f] -> goto L##_is_kept :: else fi END \
	STEP(L##_kept_open) r = file_named; if :: r == 0 -> f = 0; goto again :: else fi END \
	STEP(L##_kept_try_own) \
		if \
		:: lock[r] != 0 -> goto L##_kept_wait \
		:: else -> lock[r] = me + 1 \
		fi \
	END \
	STEP(L##_kept_named) if :: file_named != f || r != f -> REACHED_GONE; unlock(me); r = 0; f = 0; goto again :: else fi END \
	STEP(L##_kept_lower) REACHED_LOWERED; removal[f] = 0 END \
	STEP(L##_kept_unlock) unlock(me); r = 0 END \
	goto L##_is_kept; \
L##_kept_wait: atomic { REACHED_BUSY; \
		if \
		:: lock[r] == 0 -> r = 0; f = 0; goto again \
		:: lock[r] != 0 && halted[lock[r] - 1] -> goto done \
		fi \
	} \
L##_is_kept:
#endif
#endif

#define LOCALS byte j, d, f, r, oe, om, ce, cv, be, bv, e, g
#define ENDS \
dead:	atomic { deaths--; died = 1; goto done } \
halt:	atomic { deaths--; died = 1; halted[me] = 1; goto ended } \
done:	atomic { unlock(me) } \
ended:	atomic { over++; j = 0; d = 0; f = 0; r = 0; oe = 0; om = 0; ce = 0; cv = 0; be = 0; bv = 0; e = 0; g = 0 }

/* delete_group() */
proctype deleter(byte me) {
	LOCALS;

	STEP(open) g = named; if :: g == 0 -> goto orphan :: else fi END
	STEP(look) if :: !whole[g] || deletion[g] -> g = 0; goto finish_open :: else fi END
	STEP(Y1)
		if
		:: named == g && good == g -> good = 0
		:: else
		fi;
		deletion[g] = 1
	END
#ifdef QUICK
	goto really;
	STEP(finish_open)
		if
		:: me > 0 -> finish_at_once(); goto returned
		:: else
		fi
	END
really:	if
	:: me > 0 -> goto finish_open
	:: else
	fi;
	FINISH(really_finish, returned)
#else
	FINISH(finish, returned)
#endif
returned: atomic {
		assert(g == 0 || file_named == 0 || (committed[file_named] != g && begun[file_named] != g));
		goto done
	}
orphan:	if
	:: atomic { file_named == 0 -> goto done }
	:: atomic { else }
	fi;
	STEP(make) make_group(1); goto finish_open END
	ENDS
}

/* clean() */
proctype cleaner(byte me) {
	LOCALS;

	/* Without its directory, which a power failure may have taken, a group has what it committed all the same. */
	STEP(offsets) f = file_named; if :: f == 0 -> goto finish_open :: else fi END
	STEP(group) if :: named != 0 -> f = 0; goto finish_open :: else fi END
	Y3(clean, finish_open)
	FINISH_AS_OTHER(finish, done)
	ENDS
}

/* standalone::commit() */
proctype committer(byte me) {
	LOCALS;
	byte commits = COMMITS;

	OPEN_GROUP(first, commit)
commit:	STEP(U_closed) if :: deletion[g] -> g = 0; f = 0; goto first_open_group :: else fi END
	if
	:: f != 0 -> goto offsets_opened
	:: else
	fi;
	OPEN_OFFSETS(offsets)
	STEP(U1) oe = owner_epoch[f]; om = owner[f]; e = oe + 1 END
	STEP(U1_member) if :: om != 0 && (present[g] & (1 << om)) -> goto owned :: else fi END
#ifndef BUG_NO_SECOND_LOOK
	STEP(U1_closed) if :: deletion[g] -> goto fenced :: else fi END
#endif
	STEP(U_begun)
		if
		:: om != 0 || committed_epoch[f] != oe -> goto U2
		:: else
		fi
	END
	/* In the tenure that there is, which is nobody's. */
	STEP(C1_owner) if :: owner[f] != 0 || owner_epoch[f] != oe -> goto fenced :: else fi END
	STEP(C1_observe) ce = committed_epoch[f]; cv = committed[f]; if :: ce != oe -> goto fenced :: else fi END
	STEP(C1)
		if
		:: committed_epoch[f] == ce && committed[f] == cv -> committed[f] = g; goto kept
		:: else ->
			ce = committed_epoch[f]; cv = committed[f];
			if :: ce != oe -> goto fenced :: else -> goto C1 fi
		fi
	END
	STEP(U2)
		if
		:: owner_epoch[f] == oe && owner[f] == om -> nobody_loses(g); owner_epoch[f] = e; owner[f] = 0; oe = 0; om = 0
		:: else -> goto fenced
		fi
	END
	STEP(U3_observe) ce = committed_epoch[f]; cv = committed[f] END
	STEP(U3_owner) if :: owner[f] != 0 || owner_epoch[f] != e -> goto fenced :: else fi END
	STEP(U3)
		if
		:: committed_epoch[f] == ce && committed[f] == cv -> committed_epoch[f] = e; committed[f] = g
		:: else -> ce = committed_epoch[f]; cv = committed[f]; goto U3_owner
		fi
	END
kept:	ce = 0; cv = 0; oe = 0; om = 0; e = 0;
	IS_KEPT(U, U_closed)
	atomic {
		if
		:: !deletion[g] -> good = g
		:: else
		fi;
		good_is_there();
		commits--;
		if
		:: commits > 0 -> goto U_closed
		:: else -> goto done
		fi
	}
owned:	atomic { oe = 0; om = 0; e = 0; if :: deletion[g] -> goto U_closed :: else -> goto done fi }
fenced:	atomic { oe = 0; om = 0; ce = 0; cv = 0; e = 0; goto U_closed }
	ENDS
}

proctype member(byte me) {
	LOCALS;
	byte n;

	OPEN_GROUP(join, J)
	/* J1 to J3 */
	STEP(J) made[g]++; n = made[g] END
	STEP(J2) present[g] = present[g] | (1 << n) END
	STEP(J3) if :: deletion[g] -> goto lost :: else fi END

#ifdef NEW_PARTITION
	/* begin_new_partitions() */
	OPEN_OFFSETS(new)
	STEP(N_observe) be = begun_epoch[f]; bv = begun[f] END
#ifndef BUG_BEGUN_BY_ANYBODY
	STEP(N_closed) if :: deletion[g] -> goto lost :: else fi END
#endif
	STEP(N)
		if
		:: bv != 0
		:: bv == 0 && begun_epoch[f] == be && begun[f] == 0 -> begun[f] = g BEGIN_EPOCH_0
		:: else
		fi;
		be = 0; bv = 0
	END
	IS_KEPT(N, new_open_offsets)
#endif

take:	if
	:: f != 0 -> goto offsets_opened
	:: else
	fi;
	OPEN_OFFSETS(offsets)
	STEP(T0) oe = owner_epoch[f]; om = owner[f] END
	STEP(T0_member)
		if
		:: om != 0 && om != n && (present[g] & (1 << om)) -> goto wait
		:: else
		fi
	END
#ifndef BUG_NO_LOOK_BEFORE_T1
	STEP(T0_closed) if :: deletion[g] -> goto lost :: else fi END
#endif
	STEP(T1)
		if
		:: owner_epoch[f] == oe && owner[f] == om -> nobody_loses(g); owner_epoch[f] = oe + 1; owner[f] = n; holder[f] = g; e = oe + 1; oe = 0; om = 0
		:: else -> goto not_taken
		fi
	END
	BEGIN_EPOCH(T, n, not_taken)
	IS_KEPT(T, T_closed)
#ifndef NO_T3
	STEP(T3) if :: deletion[g] -> goto release :: else fi END
#endif
	STEP(B1)
		cv = committed[f];
		assert(cv == 0 || cv == g || deletion[g]);
		if :: cv != 0 -> cv = 0; goto C1_closed :: else fi
	END
	STEP(B1_observe) be = begun_epoch[f]; bv = begun[f]; assert(bv == 0 || bv == g || deletion[g]) END
#ifndef BUG_BEGUN_BY_ANYBODY
	STEP(B1_owner) if :: owner[f] != n || owner_epoch[f] != e -> be = 0; bv = 0; goto C1_closed :: else fi END
#endif
	STEP(B1_begun)
		if
		:: begun_epoch[f] == be && begun[f] == bv -> begun_epoch[f] = e; begun[f] = (bv == 0 -> g : bv); be = 0; bv = 0
		:: else -> goto B1_observe
		fi
	END
	STEP(C1_closed) if :: deletion[g] -> goto lost :: else fi END
	STEP(C1_owner) if :: owner[f] != n || owner_epoch[f] != e -> goto lost :: else fi END
	STEP(C1_observe) ce = committed_epoch[f]; cv = committed[f]; if :: ce != e -> goto lost :: else fi END
	STEP(C1)
		if
		:: committed_epoch[f] == ce && committed[f] == cv ->
			committed[f] = g;
			if
			:: !deletion[g] -> good = g
			:: else
			fi;
			good_is_there();
			ce = 0; cv = 0
		:: else -> goto C1_observe
		fi
	END
#ifdef ENDS_IN_ORDER
	STEP(end_observe) be = begun_epoch[f]; bv = begun[f]; if :: be != e -> goto release :: else fi END
	STEP(end) if :: begun_epoch[f] == be && begun[f] == bv -> begun[f] = 0 BEGUN_END_EPOCH :: else fi END
#endif
	STEP(release)
		if
		:: owner[f] == n && owner_epoch[f] == e -> owner[f] = 0
		:: else
		fi
	END
	STEP(left) present[g] = present[g] & ~(1 << n); if :: deletion[g] -> goto lost :: else -> goto gone fi END

	/* What was opened is opened again: perhaps it is not the group's any more. */
not_taken: oe = 0; om = 0; ce = 0; cv = 0; e = 0; f = 0;
	STEP(T_closed) e = 0; if :: deletion[g] -> goto lost :: else -> goto take fi END
wait:	atomic {
		if
		:: deletion[g] || owner[f] != om || owner_epoch[f] != oe -> goto not_taken
		:: over == ACTORS - 1 -> goto gone   /* it waits for the dead, whom it would end (E1) */
		fi
	}
lost:	atomic {
		present[g] = present[g] & ~(1 << n);
		n = 0; g = 0; f = 0; oe = 0; om = 0; ce = 0; cv = 0; be = 0; bv = 0; e = 0; goto join_open_group
	}
gone:	goto done;
	ENDS
}
/* When nothing moves any more: what is left, also behind deleting that. Twice: the first may find a group that only lacks the rmdir. */
proctype tidier(byte me) {
	LOCALS;
	bit again;

	atomic {
		over == ACTORS;
		good_is_there();
		assert(died || named != 0 || file_named == 0 || (committed[file_named] == 0 && begun[file_named] == 0));
		deaths = 0
	}
	STEP(offsets) if :: file_named == 0 -> goto finish_open :: else fi END
	STEP(group) if :: named != 0 -> goto finish_open :: else fi END
	STEP(make) make_group(1) END
	FINISH(finish, check)
check:	atomic {
		good_is_there();
		assert(named == 0 || !deletion[named]);
		assert(named != 0 || file_named == 0 || (committed[file_named] == 0 && begun[file_named] == 0));
		/* One that was stopped with the lock keeps the file. */
		if
		:: named == 0 && file_named != 0 && lock[file_named] == 0 && !again -> again = 1; goto offsets
		:: else
		fi;
		assert(named != 0 || file_named == 0 || lock[file_named] != 0)
	}
	goto done;
	ENDS
}

init {
	byte i;
	atomic {
		/* A group that has committed, or has only begun, and whose last member has died with the partition; or one that has done nothing. */
		groups = 1; named = 1; whole[1] = 1; made[1] = 1;
		files = 1; file_named = 1; owner_epoch[1] = 1; committed_epoch[1] = 1; begun_epoch[1] = 1;
		if
		:: committed[1] = 1; good = 1; owner[1] = 1; holder[1] = 1
#ifndef QUICK
		:: begun[1] = 1; begun_epoch[1] = 0; owner[1] = 1; holder[1] = 1
#endif
#if MEMBERS < 2
		:: file_named = 0; files = 0; owner_epoch[1] = 0; committed_epoch[1] = 0; begun_epoch[1] = 0
#endif
		fi;
		i = 0;
		do
		:: i < DELETERS -> run deleter(i); i++
		:: i >= DELETERS && i < DELETERS + CLEANERS -> run cleaner(i); i++
		:: i >= DELETERS + CLEANERS && i < DELETERS + CLEANERS + COMMITTERS -> run committer(i); i++
		:: i >= DELETERS + CLEANERS + COMMITTERS && i < ACTORS -> run member(i); i++
		:: else -> break
		od;
		run tidier(TIDIER);
		i = 0
	}
}
