// history.go -- Reads a history and turns each coupon's part of it into operations for Porcupine.
//
// The format is described at the head of history.ts, which writes it.
//
// A request without an answer may have issued the coupon at any time from its start to the end of the run, or never. The end
// state tells which: if its user has a row (or an answer named its sequence later) and no answer `issued`, then one of the user's unanswered
// requests issued exactly that. Of several it is the earliest: it may have happened whenever a later one may have. All the others
// changed nothing and are left out, which loses nothing, since an operation without effect and without answer fits everywhere.

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// A line of the file. Which fields are set depends on `Kind`.
type line struct {
	Kind        string `json:"kind"`
	Coupon      int64  `json:"coupon"`
	Client      int    `json:"client"`
	User        string `json:"user"`
	Endpoint    string `json:"endpoint"`
	Start       int64  `json:"start"`
	End         int64  `json:"end"`
	Status      int    `json:"status"`
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Sequence    int64  `json:"sequence"`
	Total       *int64 `json:"total"`
	Opens       int64  `json:"opens"`
	Closes      int64  `json:"closes"`
	Slack       int64  `json:"slack"`
	MayHaveGaps bool   `json:"mayHaveGaps"`
	Change      string `json:"change"`
	// The number of the user within its coupon.
	index int
}

// Everything that the file says about one coupon.
type coupon struct {
	line
	requests []line
	edits    []line
	rows     []line
}

type history struct {
	coupons []*coupon
	// When the run had ended; rows were read after it.
	end int64
}

// readHistory reads a whole file. A file without its last line was cut short, and is an error.
func readHistory(source io.Reader) (*history, error) {
	found, byID := &history{}, map[int64]*coupon{}
	scanner := bufio.NewScanner(source)
	scanner.Buffer(make([]byte, 1<<16), 1<<20)
	for number := 1; scanner.Scan(); number++ {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if found.end != 0 {
			return nil, fmt.Errorf("line %d: the history goes on after its end", number)
		}
		if l.Kind == "end" {
			found.end = l.End
			continue
		}
		about := byID[l.Coupon]
		if (about == nil) != (l.Kind == "coupon") {
			return nil, fmt.Errorf("line %d: coupon %d must be described once, before anything else about it", number, l.Coupon)
		}
		if l.Kind != "coupon" && l.Kind != "row" && l.End < l.Start {
			return nil, fmt.Errorf("line %d: it ends before it starts", number)
		}
		switch l.Kind {
		case "coupon":
			about = &coupon{line: l}
			byID[l.Coupon] = about
			found.coupons = append(found.coupons, about)
		case "issue":
			about.requests = append(about.requests, l)
		case "edit":
			about.edits = append(about.edits, l)
		case "row":
			about.rows = append(about.rows, l)
		default:
			return nil, fmt.Errorf("line %d: unknown kind %q", number, l.Kind)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if found.end == 0 {
		return nil, fmt.Errorf("the history has no last line: it was cut short")
	}
	return found, nil
}

// operations of all coupons, in one history that `rules` partitions again.
func (h *history) operations() ([]porcupine.Operation, error) {
	var all []porcupine.Operation
	for _, c := range h.coupons {
		own, err := c.operations(h.end)
		if err != nil {
			return nil, fmt.Errorf("coupon %d: %w", c.Coupon, err)
		}
		all = append(all, own...)
	}
	return all, nil
}

// The period is an operation, too: the clock passes its start, and its end. Both may be seen `Slack` earlier or later.
func (c *coupon) operations(runEnd int64) ([]porcupine.Operation, error) {
	c.index()
	ops, err := c.answers(runEnd)
	if err != nil {
		return nil, err
	}
	periods := []line{c.line}
	for _, edit := range c.edits {
		op := operation{coupon: c, kind: editTotal, total: unlimited, unanswered: edit.Status != 200}
		switch edit.Change {
		case "total":
			if edit.Total != nil {
				op.total = *edit.Total
			}
		case "pause":
			op.kind = editPause
		case "resume":
			op.kind = editResume
		case "period":
			op.kind, op.period = editPeriod, len(periods)
			periods = append(periods, edit)
		default:
			return nil, fmt.Errorf("unknown change %q", edit.Change)
		}
		if op.unanswered {
			edit.End = runEnd
		}
		ops = append(ops, op.between(edit.Client, edit.Start, edit.End))
	}
	if len(periods) > 64 {
		return nil, fmt.Errorf("more than 64 periods")
	}
	for i, period := range periods {
		for kind, at := range map[operationKind]int64{periodStarts: period.Opens, periodEnds: period.Closes} {
			if at-c.Slack <= runEnd {
				op := operation{coupon: c, kind: kind, period: i}
				ops = append(ops, op.between(0, at-c.Slack, at+c.Slack))
			}
		}
	}
	// After everything else, which the slack of the period may reach beyond.
	last := runEnd
	for i := range ops {
		last = max(last, ops[i].Return)
	}
	return append(ops, operation{coupon: c, kind: finalRead}.between(0, last+1, last+2)), nil
}

// Gives each user a small number, by which the state keeps owners.
func (c *coupon) index() {
	users := map[string]int{}
	for _, lines := range [][]line{c.requests, c.rows} {
		for i := range lines {
			user := lines[i].User
			if _, known := users[user]; !known {
				users[user] = len(users)
			}
			lines[i].index = users[user]
		}
	}
}

// The answers that users got, and what the unanswered requests did.
func (c *coupon) answers(runEnd int64) ([]porcupine.Operation, error) {
	var ops []porcupine.Operation
	wasIssued, sequence := map[string]bool{}, map[string]int64{}
	var unanswered []line
	for _, l := range c.requests {
		kind, err := kindOf(l)
		if err != nil {
			return nil, err
		}
		switch kind {
		case nothingDecided:
			continue
		case noAnswer:
			unanswered = append(unanswered, l)
			continue
		case issued:
			wasIssued[l.User] = true
		case duplicate:
			sequence[l.User] = l.Sequence
		}
		op := operation{coupon: c, kind: kind, user: l.User, index: l.index, sequence: l.Sequence, endpoint: l.Endpoint}
		ops = append(ops, op.between(l.Client, l.Start, l.End))
	}
	for _, row := range c.rows {
		sequence[row.User] = row.Sequence
	}
	sort.SliceStable(unanswered, func(a, b int) bool { return unanswered[a].Start < unanswered[b].Start })
	for _, l := range unanswered {
		number, hasIt := sequence[l.User]
		if !hasIt || wasIssued[l.User] {
			continue
		}
		wasIssued[l.User] = true
		op := operation{coupon: c, kind: issued, user: l.User, index: l.index, sequence: number, endpoint: l.Endpoint, unanswered: true}
		ops = append(ops, op.between(l.Client, l.Start, max(runEnd, l.Start)))
	}
	return ops, nil
}

// kindOf reads an answer. One that the API never gives for this request is an error: it is no matter of order.
func kindOf(l line) (operationKind, error) {
	switch {
	case (l.Status == 201 || l.Status == 202) && l.Sequence > 0:
		return issued, nil
	case l.Code == "DUPLICATED_COUPON_ISSUE" && l.Sequence > 0:
		return duplicate, nil
	case l.Code == "INVALID_COUPON_ISSUE_QUANTITY":
		return soldOut, nil
	case l.Code == "COUPON_NOT_EXIST":
		return notExist, nil
	case l.Code == "INVALID_COUPON_ISSUE_DATE" && strings.Contains(l.Detail, "paused"):
		return paused, nil
	case l.Code == "INVALID_COUPON_ISSUE_DATE" && strings.Contains(l.Detail, "not started"):
		return notStarted, nil
	case l.Code == "INVALID_COUPON_ISSUE_DATE" && strings.Contains(l.Detail, "ended"):
		return ended, nil
	case l.Status == 503 && strings.Contains(l.Detail, "Nothing was decided"):
		return nothingDecided, nil
	case l.Status == 0 || l.Status >= 500:
		return noAnswer, nil
	}
	return noAnswer, fmt.Errorf("user %s got an answer that cannot be read: status %d, code %q", l.User, l.Status, l.Code)
}
