package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Lines are where in a site's file its keys stand: suites[1].tests[0] to the
// line. Keys that stand in the file only by an alias are where that is.
func Lines(file string) (map[string]int, error) {
	raw, err := readLimited(file)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(raw, &node); err != nil {
		return nil, inFile(file, err)
	}
	lines := map[string]int{}
	for _, root := range node.Content {
		addLines(lines, root, "")
	}
	return lines, nil
}

func addLines(lines map[string]int, node *yaml.Node, key string) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, element := range node.Content {
			below := fmt.Sprintf("%s[%d]", key, i)
			lines[below] = element.Line
			addLines(lines, element, below)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			below := node.Content[i].Value
			if key != "" {
				below = key + "." + below
			}
			lines[below] = node.Content[i].Line
			addLines(lines, node.Content[i+1], below)
		}
	}
}
