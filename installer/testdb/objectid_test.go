package testdb

import (
	"sync"
	"testing"
	"time"
)

func TestObjectIDs(t *testing.T) {
	t.Parallel()
	now := time.Unix(0x6b047e22, 0)
	ids := newObjectIDs(func() time.Time { return now })
	first := ids.next()
	if id, ok := parseObjectID(first); !ok || id != first || first[:8] != "6b047e22" || first[18:] != "000000" {
		t.Errorf("the first id is %s", first)
	}
	last := first
	next := func(why string) {
		t.Helper()
		id := ids.next()
		if id <= last || id[8:18] != first[8:18] {
			t.Errorf("%s: %s follows %s", why, id, last)
		}
		last = id
	}
	next("in one second")
	now = now.Add(time.Second)
	next("in the next second")
	now = now.Add(-time.Hour)
	next("when the clock was put back")
	ids.counter = maxCounter - 1
	next("at the end of the counter")
	next("beyond the end of the counter")
	next("after that")
}

func TestObjectIDsAreUnique(t *testing.T) {
	t.Parallel()
	ids := newObjectIDs(time.Now)
	const each = 1000
	made := make([][]string, 8)
	var group sync.WaitGroup
	for n := range made {
		group.Go(func() {
			for range each {
				made[n] = append(made[n], ids.next())
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, list := range made {
		for i, id := range list {
			if seen[id] || i > 0 && id <= list[i-1] {
				t.Fatalf("the id %s was made twice or out of order", id)
			}
			seen[id] = true
		}
	}
}
