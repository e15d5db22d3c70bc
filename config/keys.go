package config

import (
	"reflect"
	"slices"
)

// Keys are the keys that an environment variable or --set can give a value,
// without the variables of env.
func Keys() []string {
	return slices.DeleteFunc(keys(reflect.TypeFor[Site](), ""), func(key string) bool {
		field, ok := typeOf(reflect.TypeFor[Site](), key)
		return !ok || !settable(field)
	})
}

// settable says whether one text can be the value of a key of that type.
func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	case reflect.Struct, reflect.Map:
		return false
	default:
		return true
	}
}
