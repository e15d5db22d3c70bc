package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ownPrefix begins the variables by which the stand-in is told what to stage.
const ownPrefix = "FUNCTEST_STANDIN_"

// An order is one of those variables: a value for each case that it names.
type order map[string]string

// everyCase is the key of what is for all cases.
const everyCase = "all"

// of says whether the order is for a case, and its value, which may be empty.
func (o order) of(name string) (value string, told bool) {
	if value, told = o[name]; told {
		return value, true
	}
	value, told = o[everyCase]
	return value, told
}

// Orders are all of them by name, such as SLOW.
type orders map[string]order

// known are the names of orders, and what a value must be; nil where there is
// none.
func known() map[string]func(string) error {
	return map[string]func(string) error{
		"PASS": nil, "FAIL": nil, "SKIP": nil, "RAISE": nil, "HANG": nil, "DEAF": nil, "OOM": nil,
		"NOUPLOAD": nil, "NOPUSH": nil, "WAIT": nil,
		"SLOW":      func(v string) error { _, err := time.ParseDuration(v); return err },
		"CRASH":     func(v string) error { _, err := strconv.ParseUint(v, 10, 8); return err },
		"FILL":      func(v string) error { _, err := parseSize(v); return err },
		"BADRECORD": oneOf("lie", "criteria", "case", "json"),
	}
}

func oneOf(words ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(words, v) {
			return fmt.Errorf("%q is none of %s", v, strings.Join(words, ", "))
		}
		return nil
	}
}

// readOrders reads the stand-in's variables.
func readOrders(env environment) (orders, error) {
	all, checks := orders{}, known()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		short, ok := strings.CutPrefix(name, ownPrefix)
		if !ok || short == "ROOT" {
			continue
		}
		if short == "E2ELOG" {
			if err := oneOf("live", "end", "")(env[name]); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		check, ok := checks[short]
		if !ok {
			return nil, fmt.Errorf("%s is no variable of the stand-in: it knows %s, E2ELOG and ROOT after %s",
				name, strings.Join(slices.Sorted(maps.Keys(checks)), ", "), ownPrefix)
		}
		one, err := readOrder(env[name], check)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, env[name], err)
		}
		all[short] = one
	}
	return all, nil
}

func readOrder(text string, check func(string) error) (order, error) {
	o := order{}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, value, given := strings.Cut(item, "=")
		if !given && check != nil && check(item) == nil { // a value for all
			name, value, given = everyCase, item, true
		}
		switch {
		case given && check == nil:
			return nil, fmt.Errorf("%s: it takes no value", item)
		case given:
			if err := check(value); err != nil {
				return nil, fmt.Errorf("%s: %w", item, err)
			}
		}
		o[name] = value
	}
	return o, nil
}

// told says whether an order is for a case.
func (o orders) told(name, of string) bool {
	_, told := o[name].of(of)
	return told
}

// slow is how long a case takes.
func (o orders) slow(of string) time.Duration {
	value, _ := o["SLOW"].of(of)
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0 // not told, or named without a value
	}
	return d
}

// crash is the status with which a case ends the program, if it does.
func (o orders) crash(of string) (status int, told bool) {
	value, told := o["CRASH"].of(of)
	if status, err := strconv.Atoi(value); err == nil {
		return status, told
	}
	return 137, told
}

// fill is how many bytes a case writes.
func (o orders) fill(of string) int64 {
	value, told := o["FILL"].of(of)
	if !told {
		return 0
	}
	size, err := parseSize(value)
	if err != nil {
		return 5e9 // named without a value
	}
	return size
}

// parseSize reads 5GB, 64MiB or a number of bytes.
func parseSize(text string) (int64, error) {
	units := []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1}}
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > (1<<50)/unit.size {
			return 0, fmt.Errorf("%q is no size, such as 5GB", text)
		}
		return n * unit.size, nil
	}
	return 0, nil
}
