#!/bin/sh
# check.sh FILE.pml: checks a model exhaustively with spin, in the current directory, which should be a fresh one.
#   // config: -D...    a configuration that must hold (without such a line: the model as it is); begins with -O0 where
#                        compiling takes longer than searching
#   // cycles: -D...    a configuration that must hold and have no run without end
#   // bug: BUG_X [-D...] what it is
#                        a planted bug (or a state) that must be found, in the given configuration or in one of those above
set -u
model=${1:?usage: check.sh FILE.pml}
case $model in /*) ;; *) model=$PWD/$model ;; esac
[ -r "$model" ] || { echo "check.sh: cannot read $model" >&2; exit 2; }
CC=${CC:-cc}
if ! command -v spin >/dev/null 2>&1 || ! command -v "$CC" >/dev/null 2>&1; then
	echo "SKIPPED: needs spin and a C compiler"
	exit 77
fi

failed=0

# run "SPIN FLAGS" "CC FLAGS" "PAN FLAGS": leaves errors, states and seconds; returns 1 when there is no verdict.
run() {
	rm -f pan pan.* ./*.trail
	# shellcheck disable=SC2086
	spin $1 -a "$model" >spin.out 2>&1 && [ -f pan.c ] ||
		{ echo "spin failed:"; cat spin.out; return 1; }
	# shellcheck disable=SC2086
	"$CC" -w -DVECTORSZ=4096 -DMEMLIM=4000 $2 -o pan pan.c >cc.out 2>&1 ||
		{ echo "$CC failed:"; cat cc.out; return 1; }
	# shellcheck disable=SC2086
	./pan -m200000 $3 >pan.out 2>&1
	errors=$(sed -n 's/.*errors: \([0-9][0-9]*\).*/\1/p' pan.out | head -n 1)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out | head -n 1)
	seconds=$(sed -n 's/^pan: elapsed time \([0-9.]*\).*/\1/p' pan.out | head -n 1)
	[ -n "$errors" ] || { echo "pan gave no result:"; cat pan.out; return 1; }
}

# A search is complete when nothing was cut off.
complete() {
	grep -qE '^Full statespace search' pan.out &&
		! grep -qE 'max search depth too small|out of memory|Search not completed|aborting' pan.out
}

report() { printf '%-6s %-58s %10s states %7s s\n' "$1" "$2" "${states:-?}" "${seconds:-?}"; }

hold() {
	what=$1; shift
	if ! run "$@"; then failed=1; echo "FAILED $what"
	elif [ "$errors" != 0 ]; then failed=1; report FAILED "$what: errors $errors"; head -n 3 pan.out
	elif ! complete; then failed=1; report FAILED "$what: search not complete"; head -n 5 pan.out
	else report holds "$what"
	fi
}

sed -n 's,^// config: *,,p' "$model" >configs
[ -s configs ] || echo >configs
sed -n 's,^// cycles: *,,p' "$model" >cycles
sed -n 's,^// bug: *,,p' "$model" >bugs

while IFS= read -r flags <&3; do
	level=-O2
	case $flags in -O0*) level=-O0; flags=${flags#-O0} ;; esac
	hold "${flags:-as it is}" "$flags" "$level -DSAFETY" ""
done 3<configs
while IFS= read -r flags <&3; do hold "no endless run $flags" "$flags" "-O2 -DNP" "-l"; done 3<cycles

while read -r bug rest <&3; do
	grep -q "^#if.*\\b$bug\\b" "$model" || { failed=1; echo "FAILED $bug: the model does not use it"; continue; }
	own=
	while case $rest in -D*) true ;; *) false ;; esac; do
		own="$own ${rest%% *}"
		rest=${rest#* }
	done
	if [ -n "$own" ]; then echo "$own" >places; else sed 's/^-O0//' configs >places; fi
	found=
	# -O0: found after few states, so compiling takes longer than searching.
	while IFS= read -r flags <&4; do
		run "$flags -D$bug" "-O0 -DSAFETY" "" || { found=broken; break; }
		[ "$errors" = 0 ] || { found=yes; break; }
	done 4<places
	case $found in
	yes) report found "$bug" ;;
	broken) failed=1; echo "FAILED $bug" ;;
	*) failed=1; report MISSED "$bug: $rest" ;;
	esac
done 3<bugs

exit $failed
