// thinning.go -- Checks one coupon within its bound, and proves a refusal on fewer operations where the whole has too many orders.
//
// A right history is found right at the first attempt or nearly so. To refuse one, every order must be excluded, and requests under
// way together that change nothing (already issued, sold out) multiply the orders. But whatever changes nothing can be left out: an
// order of all operations is also an order of those that remain. So a history that is refused with fewer of them is refused.

package main

import (
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// Operations without effect that are under way together in one thinned history.
const togetherMax = 4

// Part of the bound for the first attempt, and for each thinned history.
const attempts = 10

// check returns the result, and the operations that it is the result of: all of them unless fewer were enough to refuse.
func check(model porcupine.Model, ops []porcupine.Operation, bound time.Duration) (porcupine.CheckResult, []porcupine.Operation) {
	deadline := time.Now().Add(bound)
	if result := porcupine.CheckOperationsTimeout(model, ops, bound/attempts); result != porcupine.Unknown {
		return result, ops
	}
	for _, fewer := range thinned(ops) {
		if time.Now().After(deadline) {
			break
		}
		if porcupine.CheckOperationsTimeout(model, fewer, bound/attempts) == porcupine.Illegal {
			return porcupine.Illegal, fewer
		}
	}
	// Never zero, which would be without a bound.
	rest := max(time.Until(deadline), time.Millisecond)
	return porcupine.CheckOperationsTimeout(model, ops, rest), ops
}

// thinned are histories with every operation that has an effect, and each of the others in one of them.
func thinned(ops []porcupine.Operation) [][]porcupine.Operation {
	var effects, others []porcupine.Operation
	for _, op := range ops {
		if hasEffect(op.Input.(operation).kind) {
			effects = append(effects, op)
		} else {
			others = append(others, op)
		}
	}
	sort.SliceStable(others, func(a, b int) bool { return others[a].Call < others[b].Call })
	type group struct {
		ops     []porcupine.Operation
		ongoing []int64
	}
	var groups []*group
	for _, op := range others {
		var chosen *group
		for _, each := range groups {
			if each.ongoing = endingFrom(each.ongoing, op.Call); len(each.ongoing) < togetherMax {
				chosen = each
				break
			}
		}
		if chosen == nil {
			chosen = &group{}
			groups = append(groups, chosen)
		}
		chosen.ops = append(chosen.ops, op)
		chosen.ongoing = append(chosen.ongoing, op.Return)
	}
	histories := [][]porcupine.Operation{effects}
	for _, each := range groups {
		histories = append(histories, append(append([]porcupine.Operation{}, effects...), each.ops...))
	}
	return histories
}

func endingFrom(ends []int64, start int64) []int64 {
	var later []int64
	for _, end := range ends {
		if end >= start {
			later = append(later, end)
		}
	}
	return later
}

func hasEffect(kind operationKind) bool {
	switch kind {
	case duplicate, soldOut, notExist, paused, notStarted, ended:
		return false
	}
	return true
}
