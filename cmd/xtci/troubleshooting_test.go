package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A message that the page quotes and nobody prints any more would send people
// looking for what cannot be.
func TestTroubleshootingQuotesRealMessages(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	messages := quotedMessages(string(page))
	if len(messages) < 100 {
		t.Errorf("the page quotes %d messages: are its tables as they were?", len(messages))
	}
	texts := printedTexts(t, root)
	for _, message := range messages {
		if len(message) < 4 {
			t.Errorf("%q says too little to be looked for", message)
		}
		if !slices.ContainsFunc(texts, func(text string) bool { return prints(text, message) }) {
			t.Errorf("%q: nothing prints that", message)
		}
	}
}

// prints says whether a text has the pieces of a message, in their order.
func prints(text, message string) bool {
	for piece := range strings.SplitSeq(message, "...") {
		_, after, ok := strings.Cut(text, strings.TrimSpace(piece))
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// quotedMessages are what the first column of the page's tables has between
// backticks.
func quotedMessages(page string) []string {
	var messages []string
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || cells[0] != "" {
			continue
		}
		for i, text := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				messages = append(messages, text)
			}
		}
	}
	return messages
}

// printedTexts are the texts in the product's source, and the scripts of its
// jobs.
func printedTexts(t *testing.T, root string) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if base := entry.Name(); base == ".git" || base == "testdata" || strings.HasSuffix(base, "test") || base == "functeststandin" || base == "flawless" {
				return filepath.SkipDir
			}
		case strings.HasSuffix(name, ".sh"):
			script, err := os.ReadFile(name)
			texts = append(texts, string(script))
			return err
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			texts = append(texts, literals(file)...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// literals are the texts in a file. Those that are added up are one.
func literals(file *ast.File) []string {
	var texts []string
	ast.Inspect(file, func(node ast.Node) bool {
		expression, ok := node.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := literal(expression)
		if ok {
			texts = append(texts, text)
		}
		return !ok
	})
	return texts
}

func literal(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, also := literal(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
