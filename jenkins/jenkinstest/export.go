package jenkinstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A bean is an object that Jenkins exports. Within another it shows less,
// unless the request asks for more with tree= or depth=.
type bean struct {
	class  string
	brief  []string // what it shows within another
	fields func() map[string]any
}

// later is a value that is made when it is asked for.
type later func() any

// A tree is what the query parameter tree= selects.
type tree map[string]*branch

type branch struct {
	below    tree
	from, to int // of a list; to is -1 for all
}

// parseTree reads a selection such as jobs[name,builds[number]{0,3}],views[*].
func parseTree(text string) tree {
	selected, _ := parseBranches(text)
	return selected
}

func parseBranches(text string) (selected tree, rest string) {
	selected = tree{}
	for text != "" && text[0] != ']' {
		end := strings.IndexAny(text, ",[]{")
		if end < 0 {
			end = len(text)
		}
		name := text[:end]
		text = text[end:]
		b := &branch{to: -1}
		if strings.HasPrefix(text, "[") {
			b.below, text = parseBranches(text[1:])
			text = strings.TrimPrefix(text, "]")
		}
		if strings.HasPrefix(text, "{") {
			limits, after, _ := strings.Cut(text[1:], "}")
			b.from, b.to = parseRange(limits)
			text = after
		}
		if name != "" {
			selected[name] = b
		}
		text = strings.TrimPrefix(text, ",")
	}
	return selected, text
}

// parseRange reads {from,to}, {from,} or {at}.
func parseRange(text string) (from, to int) {
	first, last, isRange := strings.Cut(text, ",")
	from, _ = strconv.Atoi(strings.TrimSpace(first))
	if !isRange {
		return from, from + 1
	}
	if to, err := strconv.Atoi(strings.TrimSpace(last)); err == nil {
		return from, to
	}
	return from, -1
}

// sendJSON sends what is exported, as far as the request asks for it.
func (s *Server) sendJSON(q *request, b bean) {
	depth, _ := strconv.Atoi(q.form.Get("depth"))
	var selected tree
	if q.form.Has("tree") {
		selected = parseTree(q.form.Get("tree"))
	}
	text, err := json.Marshal(render(b, selected, depth, true))
	if err != nil {
		q.oops()
		return
	}
	q.send(http.StatusOK, "application/json;charset=utf-8", text)
}

// render turns a value into what is encoded. depth is how many beans below
// this one show all they have.
func render(value any, selected tree, depth int, whole bool) any {
	switch value := value.(type) {
	case bean:
		return renderBean(value, selected, depth, whole)
	case []bean:
		list := []any{}
		for _, b := range value {
			list = append(list, renderBean(b, selected, depth, whole))
		}
		return list
	case map[string]any:
		return renderMap(value, selected, depth)
	case []map[string]any:
		list := []any{}
		for _, m := range value {
			list = append(list, renderMap(m, selected, depth))
		}
		return list
	}
	return value
}

func renderBean(b bean, selected tree, depth int, whole bool) any {
	out := map[string]any{}
	if b.class != "" {
		out["_class"] = b.class
	}
	for name, value := range b.fields() {
		below := pick(selected, name)
		switch {
		case selected != nil && below == nil,
			selected == nil && !whole && !slices.Contains(b.brief, name):
			continue
		case below == nil:
			below = &branch{to: -1}
		}
		out[name] = render(cut(value, below), below.below, depth-1, depth > 0 || below.below != nil)
	}
	return out
}

// renderMap renders an object that always shows all it has.
func renderMap(m map[string]any, selected tree, depth int) any {
	out := map[string]any{}
	for name, value := range m {
		below := pick(selected, name)
		if selected != nil && below == nil && name != "_class" {
			continue
		}
		if below == nil {
			below = &branch{to: -1}
		}
		out[name] = render(cut(value, below), below.below, depth-1, depth > 0 || below.below != nil)
	}
	return out
}

func pick(selected tree, name string) *branch {
	if b := selected[name]; b != nil {
		return b
	}
	return selected["*"]
}

// cut takes the range of a list that was asked for.
func cut(value any, b *branch) any {
	if made, ok := value.(later); ok {
		value = made()
	}
	if b.to < 0 && b.from == 0 {
		return value
	}
	limit := func(n int) (int, int) {
		to := b.to
		if to < 0 || to > n {
			to = n
		}
		return min(b.from, to), to
	}
	switch list := value.(type) {
	case []bean:
		from, to := limit(len(list))
		return list[from:to]
	case []map[string]any:
		from, to := limit(len(list))
		return list[from:to]
	}
	return value
}
