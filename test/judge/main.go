// main.go -- Judges a history: is there an order of all operations, each between its start and its end, that the rules allow?
//
//	judge [-bound 30s] [-pictures FOLDER] HISTORY
//
// Prints one line for each coupon that is refused or was not decided within the bound, then the verdict. A refused coupon's
// picture is written beside the history. Exit code: 0 every coupon is right, 1 one is refused, 2 one was not decided, 3 the
// history cannot be read.

package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	exitOk = iota
	exitRefused
	exitUndecided
	exitUnreadable
)

// Pictures of one run; a system that is broken everywhere is not drawn everywhere.
const picturesMax = 3

// A judgement of one coupon, and the operations that it is the result of.
type judgement struct {
	coupon *coupon
	ops    []porcupine.Operation
	result porcupine.CheckResult
}

func main() {
	bound := flag.Duration("bound", 30*time.Second, "time for each coupon")
	flag.Parse()
	os.Exit(run(flag.Arg(0), *bound))
}

func run(path string, bound time.Duration) int {
	all, requests, err := read(path)
	if err != nil {
		fmt.Printf("the history cannot be judged: %v\n", err)
		return exitUnreadable
	}
	begin := time.Now()
	judgements := judge(rules(state{}).Partition(all), bound)
	tookMs := time.Since(begin).Milliseconds()
	refused, undecided := 0, 0
	for _, each := range judgements {
		switch each.result {
		case porcupine.Illegal:
			refused++
			explain(each, path, bound, refused <= picturesMax)
		case porcupine.Unknown:
			undecided++
			fmt.Printf("coupon %d: not decided within %v (%d operations)\n", each.coupon.Coupon, bound, len(each.ops))
		}
	}
	about := fmt.Sprintf("%d operations on %d coupons, %d ms", requests, len(judgements), tookMs)
	switch {
	case refused > 0:
		fmt.Printf("refused, %d of the coupons: %s\n", refused, about)
		return exitRefused
	case undecided > 0:
		fmt.Printf("not decided, %d of the coupons: %s\n", undecided, about)
		return exitUndecided
	}
	fmt.Printf("ok, %s\n", about)
	return exitOk
}

func read(path string) (ops []porcupine.Operation, requests int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	found, err := readHistory(file)
	if err != nil {
		return nil, 0, err
	}
	for _, each := range found.coupons {
		requests += len(each.requests) + len(each.edits)
	}
	if ops, err = found.operations(); err == nil && requests == 0 {
		err = fmt.Errorf("it has no requests")
	}
	return ops, requests, err
}

// judge checks every coupon by itself, each within the bound; as many at a time as there are cores, or the bound would be shared.
func judge(parts [][]porcupine.Operation, bound time.Duration) []judgement {
	judgements := make([]judgement, len(parts))
	places := make(chan struct{}, runtime.NumCPU())
	var running sync.WaitGroup
	for i, ops := range parts {
		running.Add(1)
		places <- struct{}{}
		go func(i int, ops []porcupine.Operation) {
			defer running.Done()
			about := ops[0].Input.(operation).coupon
			result, checked := check(withoutPartition(about.initial()), ops, bound)
			judgements[i] = judgement{about, checked, result}
			<-places
		}(i, ops)
	}
	running.Wait()
	return judgements
}

func (c *coupon) initial() state {
	if c.Total == nil {
		return state{total: unlimited}
	}
	return state{total: *c.Total}
}
