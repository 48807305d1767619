// picture.go -- Says where a refused history stops making sense, and draws that part of it.

package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Operations before the one that has no place which are drawn, too; the others are the state that the picture begins with.
const drawnBefore = 24

// explain finds the longest order that the rules allow. The operation that ends first of all that are left has no place after it.
func explain(j judgement, path string, bound time.Duration, isDrawn bool) {
	name := fmt.Sprintf("coupon %d", j.coupon.Coupon)
	result, info := porcupine.CheckOperationsVerbose(withoutPartition(j.coupon.initial()), j.ops, bound)
	if result != porcupine.Illegal {
		fmt.Printf("%s: refused\n", name)
		return
	}
	var order []int
	for _, each := range info.PartialLinearizations()[0] {
		if len(each) > len(order) {
			order = each
		}
	}
	before := order[:max(0, len(order)-drawnBefore)]
	from := replay(j.coupon.initial(), j.ops, before)
	at := replay(from, j.ops, order[len(before):])
	stuck := left(j.ops, order)[0]
	fmt.Printf("%s: refused: %s has no place; %s\n", name, stuck.Input.(operation), reason(at, stuck.Input.(operation)))
	if !isDrawn {
		return
	}
	drawn := left(j.ops, before)
	until := 0
	for _, op := range drawn {
		// What starts after the end of the operation without a place cannot come before it.
		if op.Call <= stuck.Return {
			drawn[until] = op
			until++
		}
	}
	picture := strings.TrimSuffix(path, ".jsonl") + fmt.Sprintf("-coupon-%d.html", j.coupon.Coupon)
	model := withoutPartition(from)
	_, info = porcupine.CheckOperationsVerbose(model, inRows(drawn[:until]), bound)
	if err := porcupine.VisualizePath(model, info, picture); err != nil {
		fmt.Printf("%s: no picture: %v\n", name, err)
		return
	}
	fmt.Printf("%s: picture: %s\n", name, picture)
}

func withoutPartition(initial state) porcupine.Model {
	model := rules(initial)
	model.Partition = nil
	return model
}

func replay(initial state, ops []porcupine.Operation, order []int) state {
	for _, id := range order {
		initial, _ = initial.step(ops[id].Input.(operation))
	}
	return initial
}

// left are the operations that are not in the order, by when they end.
func left(ops []porcupine.Operation, order []int) []porcupine.Operation {
	isDone := make([]bool, len(ops))
	for _, id := range order {
		isDone[id] = true
	}
	var rest []porcupine.Operation
	for id, op := range ops {
		if !isDone[id] {
			rest = append(rest, op)
		}
	}
	sort.SliceStable(rest, func(a, b int) bool { return rest[a].Return < rest[b].Return })
	return rest
}

// inRows gives each operation the first row of the picture that is free when it starts.
func inRows(ops []porcupine.Operation) []porcupine.Operation {
	sort.SliceStable(ops, func(a, b int) bool { return ops[a].Call < ops[b].Call })
	var freeFrom []int64
	for i := range ops {
		row := 0
		for row < len(freeFrom) && freeFrom[row] >= ops[i].Call {
			row++
		}
		if row == len(freeFrom) {
			freeFrom = append(freeFrom, 0)
		}
		freeFrom[row] = ops[i].Return
		ops[i].ClientId = row
	}
	return ops
}

// reason says what the operation should have been in this state.
func reason(s state, op operation) string {
	if op.kind != finalRead {
		expected := operation{kind: s.answer(op), user: op.user, sequence: s.last + 1}
		if expected.kind == duplicate {
			expected.sequence = s.owners.of(op.index)
		}
		return fmt.Sprintf("with %s, expected %s", s, expected)
	}
	wrong := s.missing(op.coupon.rows)
	if len(wrong) > 0 {
		return fmt.Sprintf("%d were issued, and the row %s %d is not as issued", s.count, wrong[0].User, wrong[0].Sequence)
	}
	return fmt.Sprintf("%d were issued: rows are missing", s.count)
}
