package casc

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// literal is a text that must arrive in Jenkins as it is.
type literal string

// MarshalYAML writes it in double quotes, where both versions of YAML read the
// same.
func (l literal) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: escape(string(l))}, nil
}

// escape keeps the plugin from replacing ${NAME}: a ^ before it is taken away
// and the rest left alone. But only when the } is there; otherwise the ^ would
// stay (read in configuration-as-code 1670, which has commons-text 1.10 do
// it).
func escape(text string) string {
	end := strings.LastIndexByte(text, '}')
	if end < 0 {
		return text
	}
	return strings.ReplaceAll(text[:end], "${", "^${") + text[end:]
}
