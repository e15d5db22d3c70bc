package term

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/internal/invisible"
)

func TestEscapeKeepsTheMeaning(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", "größe ✓", "a\u009bb", "a\u202eb\u200bc", "\U000E0041", "line\u2028end"} {
		raw, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		escaped := Escape(string(raw) + "\n")
		if strings.ContainsFunc(strings.TrimSuffix(escaped, "\n"), invisible.Is) {
			t.Errorf("%q: something unseen is left: %q", text, escaped)
		}
		var back map[string]string
		if err := json.Unmarshal([]byte(escaped), &back); err != nil || back["text"] != text {
			t.Errorf("%q came back as %q, %v", text, back["text"], err)
		}
	}
}
