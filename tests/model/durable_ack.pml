/* Acknowledged as durable means that the device has it, whatever dies, stops or fails.
 *
 * Mirrors steps F1 to F8 of docs/protocol.md; in code include/leat/storage/durability.hpp (flush, make_durable) and
 * include/leat/storage/segment.hpp (dirty_again). A record is a page of its own here: in the kernel's cache and dirty, on the
 * device, or refused by the device, after which the kernel takes it for written. The kernel tells of a refusal once through
 * each open file (errseq_t): through those that were open when it happened, and through one that is opened later if nobody
 * has been told yet. It also writes by itself, and is refused then as well (-DWRITEBACK).
 *
 * Each atomic block is one access to shared memory or one system call. Before each of them a process may die; the kernel then
 * gives its lock back. Who is refused the right may wait or, out of patience, go on without it, so that one who is stopped
 * is one who takes his time.
 *
 * Checked: what lies below the mark is on the device; so whoever returns has its record there. `cycles`: without device
 * errors everybody who lives comes to an end (who waits for the right does not count as one who moves).
 *
 * Bounded: each process sends SENDS records; at most ERRORS refusals and DEATHS deaths. Memory is sequentially consistent.
 *
 * The known gap: between a refusal and raising the alarm again, a process that dies leaves it lowered if another's flush, which
 * began before the refusal and was told of none, ended in between. REACH_GAP finds it; it takes a device that fails, a death
 * at one instruction, and two flushes at once.
 *
 * Run: check.sh durable_ack.pml, in an empty directory.
 *
// config: -DPROCESSES=2 -DSENDS=2
// config: -DPROCESSES=2 -DSENDS=1 -DWRITEBACK
// config: -DPROCESSES=3 -DSENDS=1 -DDEATHS=0 -DERRORS=1
// cycles: -DPROCESSES=2 -DSENDS=1 -DERRORS=0 -DDEATHS=1
 *
// bug: REACH_SHARED -DPROCESSES=2 (not a bug, a state that must be reached) a record is acknowledged by another's flush
// bug: REACH_AGAIN -DPROCESSES=2 (the same) refused records are given to the device again, and acknowledged
// bug: REACH_IMPATIENT -DPROCESSES=2 (the same) two flush at once
 *
// bug: BUG_MARK_FIRST -DPROCESSES=2 F7 before F4
// bug: BUG_END_LATE -DPROCESSES=2 the mark is raised to the end as it is behind F4
// bug: BUG_NO_ALARM -DPROCESSES=2 nobody is told of a refusal
// bug: BUG_ALARM_AFTER -DPROCESSES=2 the alarm is raised behind the refusal only
// bug: BUG_AGAIN_FORGOTTEN -DPROCESSES=2 the alarm is looked at, but the pages are not made dirty again
// bug: BUG_LOWER_EARLY -DPROCESSES=2 the alarm is lowered before the device is asked
// bug: BUG_LOWER_ALWAYS -DPROCESSES=2 the alarm is lowered though another has raised it meanwhile
// bug: REACH_GAP -DPROCESSES=2 (the known gap, see above)
// bug: BUG_OPEN_BEHIND_ALARM -DPROCESSES=3 -DSENDS=1 -DDEATHS=1 the segments are opened behind F3
 */

#ifndef PROCESSES
#define PROCESSES 2
#endif
#ifndef SENDS
#define SENDS 2
#endif
#ifndef ERRORS
#define ERRORS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#define RECORDS (PROCESSES * SENDS)

mtype = { absent, dirty, written, refused };
mtype record[RECORDS];
byte end_offset;
byte mark;
byte flush_alarm;                 /* odd: raised */
byte right;                       /* who has it, + 1 */
bit told[PROCESSES];              /* its open file has seen the last refusal, or there is none to be seen */
bit anybody_told = 1;

/* Not in shared memory: bounds, and what is looked for. */
byte errors = ERRORS;
byte deaths = DEATHS;
byte flushing;

inline maybe_die() {
  if
  :: deaths > 0 -> atomic {
       deaths--;
       if :: right == _pid + 1 -> right = 0 :: else fi;
       goto dead
     }
  :: true
  fi
}

/* The device refuses some of what is dirty: everybody who has the file open is to be told. */
inline refuse() {
  errors--;
  i = 0;
  do
  :: i < RECORDS ->
       if
       :: record[i] == dirty -> if :: record[i] = refused :: record[i] = written fi
       :: else
       fi;
       i++
  :: else -> break
  od;
  i = 0;
  do :: i < PROCESSES -> told[i] = 0; i++ :: else -> break od;
  anybody_told = 0
}

inline open_segments() {
  /* Mapped before, or opened now. */
  if
  :: true
  :: told[_pid] = anybody_told
  fi
}

inline check_mark() {
  i = 0;
  do
  :: i < mark -> assert(record[i] == written); i++
  :: else -> break
  od
}

active [PROCESSES] proctype process() {
  byte sent, mine, n, i, stamp;
  bit has_right, again, failed;
  told[_pid] = anybody_told;       /* opened now */
  do
  :: sent == SENDS -> break
  :: else ->
       maybe_die();
       atomic { record[end_offset] = dirty; end_offset++; mine = end_offset; sent++ }
       do
       :: true ->
            maybe_die();
            if
            :: mark >= mine -> break
            :: else
            fi;
            maybe_die();
            if
            :: atomic { right == 0 -> right = _pid + 1; has_right = 1 }
            :: atomic { right != 0 -> has_right = 0 }            /* out of patience */
            :: right != 0 -> (right == 0 || mark >= mine); goto look_again
            fi;
            maybe_die();
#ifndef BUG_OPEN_BEHIND_ALARM
            atomic { n = end_offset; open_segments() }           /* F2 */
#else
            n = end_offset;
#endif
            maybe_die();
#ifdef BUG_NO_ALARM
            again = 0;
#elif defined(BUG_ALARM_AFTER)
            again = flush_alarm & 1;
#else
            atomic { again = flush_alarm & 1; flush_alarm = (flush_alarm + 2) | 1; stamp = flush_alarm }  /* F3 */
#endif
#ifdef BUG_OPEN_BEHIND_ALARM
            maybe_die();
            open_segments();
#endif
#ifdef BUG_LOWER_EARLY
            flush_alarm = stamp + 1;
#endif
#ifdef BUG_MARK_FIRST
            atomic { if :: mark < n -> mark = n :: else fi }
            atomic { check_mark() }
#endif
            maybe_die();
#ifndef BUG_AGAIN_FORGOTTEN
            if
            :: again ->
                 atomic {
                   i = 0;
                   do
                   :: i < end_offset -> if :: record[i] == refused -> record[i] = dirty :: else fi; i++
                   :: else -> break
                   od;
                   i = 0
                 }
            :: else
            fi;
#endif
            maybe_die();
            atomic {                                             /* F4 */
              flushing++;
              if
              :: errors > 0 -> refuse()
              :: atomic {
                   i = 0;
                   do
                   :: i < RECORDS -> if :: record[i] == dirty -> record[i] = written :: else fi; i++
                   :: else -> break
                   od
                 }
              fi;
              failed = !told[_pid];
              told[_pid] = 1;
              if :: failed -> anybody_told = 1 :: else fi;
              i = 0;
#ifndef REACH_GAP
#ifndef BUG_NO_ALARM
#ifndef BUG_ALARM_AFTER
#ifndef BUG_LOWER_EARLY
              if :: failed -> flush_alarm = (flush_alarm + 2) | 1 :: else fi   /* F6, see the known gap above */
#endif
#endif
#endif
#endif
            }
            if
            :: failed ->
#if defined(REACH_GAP) || defined(BUG_ALARM_AFTER)
                 maybe_die();
                 flush_alarm = (flush_alarm + 2) | 1;
#endif
                 goto gives_up
            :: else
            fi;
            maybe_die();
#ifdef BUG_LOWER_ALWAYS
            flush_alarm = (flush_alarm + 1) & 254;
#elif !defined(BUG_LOWER_EARLY)
            atomic { if :: flush_alarm == stamp -> flush_alarm = stamp + 1 :: else fi };
#endif
            maybe_die();
#ifdef BUG_END_LATE
            n = end_offset;
#endif
#ifdef REACH_AGAIN
            assert(!again || errors == ERRORS);
#endif
#ifdef REACH_IMPATIENT
            assert(has_right);
#endif
            atomic {                                             /* F7 */
              if :: mark < n -> mark = n :: else fi;
              check_mark();
              i = 0
            }
            maybe_die();
            if :: has_right -> right = 0; has_right = 0 :: else fi;   /* F8 */
look_again:
#ifdef REACH_SHARED
            assert(!(mark >= mine && right != _pid + 1 && has_right == 0 && again == 0 && n < mine));
#endif
            skip
       od;
       atomic { assert(mark >= mine); check_mark(); i = 0 }
  od;
  goto done;
gives_up:                                                        /* the caller is told */
  if :: right == _pid + 1 -> right = 0 :: else fi;
dead:
done:
  skip
}

#ifdef WRITEBACK
active proctype kernel() {
  byte i;
  do
  :: errors > 0 -> atomic { refuse(); i = 0 }
  :: atomic {
       i = 0;
       do
       :: i < RECORDS -> if :: record[i] == dirty -> record[i] = written :: else fi; i++
       :: else -> break
       od;
       i = 0
     }
     break
  od
}
#endif
