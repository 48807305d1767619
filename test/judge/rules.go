// rules.go -- The sequential rules of a coupon: what each answer may be if requests came one after the other.
//
// The order of checks is that of the system: exists, not paused, period, already issued, stock left. Sequences are given out
// without a gap, except where the history says that Redis may have lost some: then they only rise.

package main

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

type operationKind int

const (
	issued operationKind = iota
	duplicate
	soldOut
	notExist
	paused
	notStarted
	ended
	editTotal
	editPause
	editResume
	editPeriod
	periodStarts
	periodEnds
	finalRead
	// Never an operation: a request that was refused before it was decided, and one without an answer.
	nothingDecided
	noAnswer
)

const unlimited = -1

// A request with its answer, an edit, the clock, or the reading of the rows.
type operation struct {
	coupon   *coupon
	kind     operationKind
	user     string
	index    int
	sequence int64
	endpoint string
	total    int64
	period   int
	// An issue that only the end state tells of, or an edit that may have happened or not.
	unanswered bool
}

func (op operation) between(client int, start, end int64) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: op, Call: start, Return: end}
}

// What is true between two operations. Never changed in place.
type state struct {
	owners owners
	last   int64
	count  int64
	total  int64
	paused bool
	period int
	// Periods by number that have started, and ended.
	started, ended uint64
}

// The sequence of each user by the user's number; 0 for none. In pages, so that a change copies little.
type owners [][]int64

const pageSize = 256

func (o owners) of(user int) int64 {
	if page := user / pageSize; page < len(o) && o[page] != nil {
		return o[page][user%pageSize]
	}
	return 0
}

func (o owners) with(user int, sequence int64) owners {
	changed := slices.Clone(o)
	for len(changed) <= user/pageSize {
		changed = append(changed, nil)
	}
	page := make([]int64, pageSize)
	copy(page, changed[user/pageSize])
	page[user%pageSize] = sequence
	changed[user/pageSize] = page
	return changed
}

func (s state) equal(other state) bool {
	if s.last != other.last || s.count != other.count || s.total != other.total || s.paused != other.paused ||
		s.period != other.period || s.started != other.started || s.ended != other.ended {
		return false
	}
	return slices.EqualFunc(s.owners, other.owners, func(a, b []int64) bool { return slices.Equal(a, b) })
}

// step returns the state after the operation, and whether its answer can be given in this state.
//
// An edit without an answer is made wherever it stands: where it never was made, it stands last, and has no visible effect.
func (s state) step(op operation) (state, bool) {
	next := s
	switch op.kind {
	case periodStarts:
		next.started |= 1 << op.period
	case periodEnds:
		next.ended |= 1 << op.period
	case editTotal, editPause, editResume, editPeriod:
		next, isAllowed := s.edited(op)
		if !isAllowed {
			return s, op.unanswered
		}
		return next, true
	case finalRead:
		return s, s.has(op.coupon.rows)
	default:
		if s.answer(op) != op.kind || op.kind == duplicate && op.sequence != s.owners.of(op.index) {
			return s, false
		}
		if op.kind == issued {
			isNext := op.sequence == s.last+1 || op.coupon.MayHaveGaps && op.sequence > s.last
			if !isNext {
				return s, false
			}
			next.owners, next.last, next.count = s.owners.with(op.index, op.sequence), op.sequence, s.count+1
		}
	}
	return next, true
}

// answer is the right answer to a request of this user.
func (s state) answer(op operation) operationKind {
	current := uint64(1) << s.period
	switch {
	case s.paused:
		return paused
	case s.started&current == 0:
		return notStarted
	case s.ended&current != 0:
		return ended
	case s.owners.of(op.index) != 0:
		return duplicate
	case s.total != unlimited && s.count >= s.total:
		return soldOut
	}
	return issued
}

// edited returns the state after an edit, and whether it is allowed: a total never goes below what was issued.
func (s state) edited(op operation) (state, bool) {
	switch op.kind {
	case editPause:
		s.paused = true
	case editResume:
		s.paused = false
	case editPeriod:
		s.period = op.period
	default:
		s.total = op.total
		return s, op.total == unlimited || op.total >= s.count
	}
	return s, true
}

// has tells whether the rows are exactly the owners.
func (s state) has(rows []line) bool {
	return int64(len(rows)) == s.count && len(s.missing(rows)) == 0
}

// missing are the rows that are not as they were issued.
func (s state) missing(rows []line) []line {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(rows), func(row line) bool {
		isFirst := !seen[row.User]
		seen[row.User] = true
		return isFirst && s.owners.of(row.index) == row.Sequence
	})
}

// rules is the specification for Porcupine, of histories that begin in the given state.
func rules(initial state) porcupine.Model {
	return porcupine.Model{
		Partition: byCoupon,
		Init:      func() interface{} { return initial },
		Step: func(from, input, _ interface{}) (bool, interface{}) {
			next, isRight := from.(state).step(input.(operation))
			return isRight, next
		},
		Equal:             func(a, b interface{}) bool { return a.(state).equal(b.(state)) },
		DescribeOperation: func(input, _ interface{}) string { return input.(operation).String() },
		DescribeState:     func(s interface{}) string { return s.(state).String() },
	}
}

func byCoupon(all []porcupine.Operation) [][]porcupine.Operation {
	var parts [][]porcupine.Operation
	at := map[*coupon]int{}
	for _, op := range all {
		about := op.Input.(operation).coupon
		if _, known := at[about]; !known {
			at[about] = len(parts)
			parts = append(parts, nil)
		}
		parts[at[about]] = append(parts[at[about]], op)
	}
	return parts
}

func (op operation) String() string {
	switch op.kind {
	case issued:
		if op.unanswered {
			return fmt.Sprintf("%s: no answer, has %d in the end", op.user, op.sequence)
		}
		return fmt.Sprintf("%s: issued %d", op.user, op.sequence)
	case duplicate:
		return fmt.Sprintf("%s: already has %d", op.user, op.sequence)
	case editTotal:
		return fmt.Sprintf("edit: total %s%s", quantity(op.total), perhaps(op.unanswered))
	case editPeriod:
		return fmt.Sprintf("edit: period %d%s", op.period, perhaps(op.unanswered))
	case editPause, editResume:
		return fmt.Sprintf("edit: %s%s", map[operationKind]string{editPause: "pause", editResume: "resume"}[op.kind], perhaps(op.unanswered))
	case periodStarts:
		return fmt.Sprintf("clock: start of period %d", op.period)
	case periodEnds:
		return fmt.Sprintf("clock: end of period %d", op.period)
	case finalRead:
		return fmt.Sprintf("the end: %d rows", len(op.coupon.rows))
	}
	return fmt.Sprintf("%s: %s", op.user, refusals[op.kind])
}

var refusals = map[operationKind]string{
	soldOut: "sold out", notExist: "does not exist", paused: "paused", notStarted: "not started", ended: "ended",
}

func (s state) String() string {
	text := fmt.Sprintf("%d of %s issued, last %d", s.count, quantity(s.total), s.last)
	if s.paused {
		text += ", paused"
	}
	return text
}

func quantity(total int64) string {
	if total == unlimited {
		return "unlimited"
	}
	return fmt.Sprint(total)
}

func perhaps(unanswered bool) string {
	if unanswered {
		return " (no answer)"
	}
	return ""
}
