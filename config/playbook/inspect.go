package playbook

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"

	"github.com/anuket-project/xtci/config"
)

// nesting is how deep brackets are in each other.
func nesting(source string) int {
	depth, most := 0, 0
	for _, c := range source {
		switch c {
		case '(', '[', '{':
			depth++
			most = max(most, depth)
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return most
}

// inspector looks through a template before anything of it is done.
type inspector struct {
	names  map[string]bool // and whether they have to be there
	count  int
	lookup string
	wrong  string
}

func (i *inspector) all(list []nodes.Expression, by map[string]nodes.Expression, lenient bool) {
	for _, n := range list {
		i.node(n, lenient)
	}
	for _, n := range by {
		i.node(n, lenient)
	}
}

// node looks at a node and all in it. Within what has a default, names need
// not be there: lenient.
func (i *inspector) node(node nodes.Node, lenient bool) {
	i.count++
	if node == nil || i.count > maxNodes {
		return
	}
	switch n := node.(type) {
	case *nodes.Data, *nodes.Comment, *nodes.String, *nodes.Integer, *nodes.Float, *nodes.Bool, *nodes.None:
	case *nodes.Output:
		i.node(n.Expression, false)
		if n.Condition != nil {
			i.node(n.Condition, false)
		}
		if n.Alternative != nil {
			i.node(n.Alternative, false)
		}
	case *nodes.Name:
		i.names[n.Name.Val] = i.names[n.Name.Val] || !lenient
	case *nodes.List:
		i.all(n.Val, nil, lenient)
	case *nodes.Tuple:
		i.all(n.Val, nil, lenient)
	case *nodes.Dict:
		for _, p := range n.Pairs {
			i.node(p.Key, lenient)
			i.node(p.Value, lenient)
		}
	case *nodes.FilteredExpression:
		i.filtered(n, lenient)
	case *nodes.TestExpression:
		i.node(n.Expression, lenient || n.Test.Name == "defined" || n.Test.Name == "undefined")
		i.all(n.Test.Args, n.Test.Kwargs, lenient)
	case *nodes.Call:
		i.call(n, lenient)
	case *nodes.GetItem:
		i.node(n.Node, lenient)
		i.node(n.Arg, lenient)
	case *nodes.GetAttribute:
		i.node(n.Node, lenient)
	case *nodes.GetSlice:
		for _, part := range [...]nodes.Node{n.Node, n.Start, n.End, n.Step} {
			if part != nil {
				i.node(part, lenient)
			}
		}
	case *nodes.Negation:
		i.node(n.Term, lenient)
	case *nodes.UnaryExpression:
		i.node(n.Term, lenient)
	case *nodes.BinaryExpression:
		if kind := n.Operator.Token.Type; kind == tokens.Multiply || kind == tokens.Power {
			i.wrong = "* and ** are not there: give the result"
		}
		i.node(n.Left, lenient)
		i.node(n.Right, lenient)
	default:
		i.wrong = "it has more than expressions between {{ and }}"
	}
}

func (i *inspector) filtered(n *nodes.FilteredExpression, lenient bool) {
	for k, filter := range n.Filters {
		if k == 0 {
			lenient = lenient || filter.Name == "default" || filter.Name == "d"
			i.node(n.Expression, lenient)
		}
		if !templates().Filters.Exists(filter.Name) {
			i.wrong = fmt.Sprintf("the filter %s is not there: did you mean %s? Otherwise give the result", clip(filter.Name), config.Nearest(filterNames(), filter.Name))
		}
		i.all(filter.Args, filter.Kwargs, false)
	}
}

// call looks at a call: of a method, or of a function, which would have to be
// run.
func (i *inspector) call(n *nodes.Call, lenient bool) {
	switch f := n.Func.(type) {
	case *nodes.Name:
		switch name := f.Name.Val; name {
		case "lookup", "query", "q", "url":
			i.lookup = name
		default:
			i.wrong = fmt.Sprintf("the function %s is not there: give the result", clip(name))
		}
	case *nodes.GetAttribute:
		i.node(f.Node, lenient)
	default:
		i.wrong = "it calls what is no function"
	}
	i.all(n.Args, n.Kwargs, lenient)
}
