package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// wrongType is how the YAML decoder says that a key cannot take a value.
var wrongType = regexp.MustCompile("^line ([0-9]+): cannot unmarshal !!([a-z]+)(?: `(?s:(.*))`)? into (.+)$")

// inFile says of an error where in a file it is and, of values of another type
// than is wanted, what is wanted, in words that people use.
func inFile(file string, err error) error {
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for _, text := range wrong.Errors {
		parts := wrongType.FindStringSubmatch(text)
		if parts == nil {
			errs = append(errs, fmt.Errorf("%s: %s", file, text))
			continue
		}
		what := strconv.Quote(parts[3])
		switch parts[2] {
		case "seq":
			what = "a list"
		case "map":
			what = "a mapping"
		}
		errs = append(errs, fmt.Errorf("%s:%s: %s cannot be used here: want %s", file, parts[1], what, wanted(parts[4])))
	}
	return errors.Join(errs...)
}

// wanted is what a type of Go takes.
func wanted(name string) string {
	switch {
	case name == "int", name == "int64":
		return "a whole number"
	case name == "float64":
		return "a number"
	case name == "bool":
		return "true or false"
	case name == "time.Duration":
		return "a time with its unit, such as 90s or 3h"
	case name == "string", name == "config.Secret":
		return "a text"
	case name == "[]string":
		return "a list of texts"
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case strings.HasPrefix(name, "map["):
		return "names and their values"
	}
	return "keys and their values"
}

// checkText refuses a text that a key of that type cannot take.
func checkText(t reflect.Type, value string) error {
	if value == "" {
		return nil
	}
	var err error
	switch {
	case t == reflect.TypeFor[time.Duration]():
		_, err = time.ParseDuration(value)
	case t.Kind() == reflect.Int:
		_, err = strconv.ParseInt(value, 0, 0)
	case t.Kind() == reflect.Float64:
		_, err = strconv.ParseFloat(value, 64)
	case t.Kind() == reflect.Bool:
		_, err = strconv.ParseBool(value)
	}
	if err != nil {
		return fmt.Errorf("want %s", wanted(t.String()))
	}
	return nil
}
