package playbook

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Ansible reads YAML 1.1 by PyYAML, where more words and numbers are other
// than text than in YAML 1.2 (https://yaml.org/type/).
var (
	yamlInteger = regexp.MustCompile(`^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*(:[0-5]?[0-9])*)$`)
	yamlFloat   = regexp.MustCompile(`^([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*)$`)
	yamlBools   = map[string]bool{
		"yes": true, "Yes": true, "YES": true, "no": false, "No": false, "NO": false,
		"true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
		"on": true, "On": true, "ON": true, "off": false, "Off": false, "OFF": false,
	}
)

// plain gives a scalar without quotes the value that Ansible sees: nil, bool,
// int64, float64, or a string.
func plain(text string) any {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	}
	if b, ok := yamlBools[text]; ok {
		return b
	}
	if len(text) > 64 {
		return text // no number that means anything
	}
	if yamlInteger.MatchString(text) {
		if n, ok := integer(text); ok {
			return n
		}
		return text
	}
	if yamlFloat.MatchString(text) {
		if f, ok := float(text); ok {
			return f
		}
	}
	return text
}

// integer reads an integer of YAML 1.1. One that is too large for an int64 is
// not ok: nothing here has one.
func integer(text string) (int64, bool) {
	digits := strings.ReplaceAll(text, "_", "")
	sign := int64(1)
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		sign, digits = -1, rest
	}
	digits = strings.TrimPrefix(digits, "+")
	base := 10
	switch {
	case strings.Contains(digits, ":"):
		return sexagesimal(digits, sign)
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	n, err := strconv.ParseInt(digits, base, 64)
	return sign * n, err == nil
}

// sexagesimal reads numbers to the base of 60: 1:30 is 90.
func sexagesimal(digits string, sign int64) (int64, bool) {
	total := new(big.Int)
	for part := range strings.SplitSeq(digits, ":") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return 0, false
		}
		total.Mul(total, big.NewInt(60)).Add(total, big.NewInt(n))
	}
	return sign * total.Int64(), total.IsInt64()
}

func float(text string) (float64, bool) {
	digits := strings.ReplaceAll(text, "_", "")
	if whole, fraction, ok := strings.Cut(digits, ":"); ok {
		last := strings.LastIndex(fraction, ":") + 1
		n, ok := sexagesimal(strings.TrimLeft(whole+":"+fraction[:last], "+-")+"0", 1)
		seconds, err := strconv.ParseFloat(fraction[last:], 64)
		value := float64(n) + seconds
		if strings.HasPrefix(whole, "-") {
			value = -value
		}
		return value, ok && err == nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	return f, err == nil
}

// scalar gives a scalar node its value.
func scalar(node *yaml.Node) (data any, err error) {
	if node.Style&yaml.TaggedStyle == 0 {
		if node.Style == 0 {
			return plain(node.Value), nil
		}
		return node.Value, nil
	}
	switch node.ShortTag() {
	case "!!str", "!unsafe", "!vault", "!vault-encrypted", "!":
		return node.Value, nil
	case "!!null":
		return nil, nil //nolint:nilnil // null is what it is
	case "!!int", "!!float", "!!bool":
		value := plain(node.Value)
		if _, text := value.(string); !text {
			return value, nil
		}
	}
	return nil, fmt.Errorf("%s %q: Ansible has no such value", node.Tag, clip(node.Value))
}

// text is how Ansible writes a value into text: as Python does, but for nothing,
// which is no text.
func text(data any) string {
	switch v := data.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// floatText writes a float as Python does: 2023.1, 1.0, 1e+16.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	short := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(short, ".") {
		short += ".0"
	}
	return short
}

// clip keeps what a message quotes short.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
