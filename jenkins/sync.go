package jenkins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxParallel is how many requests are under way at once, at most: more make
// Jenkins no faster.
const maxParallel = 8

// A Document is a job or a view as it is wanted.
type Document struct {
	Name string
	XML  string
}

// Wanted is what Jenkins should have.
type Wanted struct {
	// Projects are those whose jobs and views these are. What is marked as
	// theirs (Managed) and not wanted is left over.
	Projects []string
	// Jobs and Views are all that is wanted. Each says in its description
	// which of the projects it is of.
	Jobs, Views []Document
}

// NewWanted writes the documents of a graph, whose jobs and views are of these
// projects.
func NewWanted(g Graph, projects ...string) (Wanted, error) {
	w := Wanted{Projects: projects}
	for _, j := range g.Jobs {
		text, err := j.XML()
		if err != nil {
			return Wanted{}, fmt.Errorf("the job %s: %w", j.Name, err)
		}
		w.Jobs = append(w.Jobs, Document{j.Name, string(text)})
	}
	for _, v := range g.Views {
		text, err := v.XML()
		if err != nil {
			return Wanted{}, fmt.Errorf("the view %s: %w", v.Name, err)
		}
		w.Views = append(w.Views, Document{v.Name, string(text)})
	}
	return w, nil
}

// An Action is what a job or a view needs.
type Action string

// The actions.
const (
	// Keep is nothing: it is as it is wanted.
	Keep Action = "keep"
	// Create and Update are what Apply does.
	Create Action = "create"
	Update Action = "update"
	// Remove is for what xtci made and nobody wants: Apply does it if told to.
	Remove Action = "remove"
	// Conflict is a wanted name that somebody else's job or view has.
	Conflict Action = "conflict"
)

// A Change is what one job or view needs.
type Change struct {
	// Kind is job or view.
	Kind string `json:"kind"`
	// Name is that of the job or view.
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Lines say what differs: lines of the document's normal form that go
	// (-) and come (+), with a few around them.
	Lines []string `json:"lines,omitempty"`
	// Why says why it is a conflict, or why it was not removed.
	Why string `json:"why,omitempty"`

	want string // the document
	late bool   // a MultiJob: its jobs come before it, and go after it
	busy bool   // it is running
}

func (c Change) String() string {
	text := fmt.Sprintf("%s %s %s", c.Action, c.Kind, c.Name)
	if c.Why != "" {
		text += ": " + c.Why
	}
	return text
}

// Kinds of changes.
const (
	kindJob  = "job"
	kindView = "view"
)

// managed is Managed, read back.
var managed = regexp.MustCompile(`<!-- Managed by xtci for (.*?) -->`)

// ownerOf returns the project that a description names, or nothing when xtci
// did not make it. A description survives Jenkins's saves and stays with a job
// that is renamed, which a property of a plugin that is not there does not, nor
// does a list of names that is kept elsewhere.
func ownerOf(description string) string {
	if match := managed.FindStringSubmatch(description); match != nil {
		return match[1]
	}
	return ""
}

// Diff says what Jenkins needs to have what is wanted: each job and view, by
// name, jobs first. It changes nothing.
func (c *Client) Diff(ctx context.Context, w Wanted) ([]Change, error) {
	jobs, views, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	changes, err := w.plan(kindJob, w.Jobs, jobs)
	if err != nil {
		return nil, err
	}
	more, err := w.plan(kindView, w.Views, views)
	if err != nil {
		return nil, err
	}
	changes = append(changes, more...)
	err = parallel(ctx, maxParallel, len(changes), func(ctx context.Context, i int) error {
		if changes[i].Action != Update {
			return nil
		}
		return c.compare(ctx, &changes[i])
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// plan says what is known without the documents. What is there and ours is an
// Update until it is compared.
func (w Wanted) plan(kind string, wanted []Document, have []summary) ([]Change, error) {
	keyOf := func(name string) string { return name }
	if kind == kindJob { // names of jobs that differ in case only are one to Jenkins
		keyOf = strings.ToLower
	}
	there := map[string]summary{}
	for _, s := range have {
		there[keyOf(s.Name)] = s
	}
	var changes []Change
	seen := map[string]bool{}
	for _, d := range wanted {
		key := keyOf(d.Name)
		if seen[key] {
			return nil, fmt.Errorf("the %s %s is wanted twice (names of jobs that differ in case only are one to Jenkins)", kind, d.Name)
		}
		seen[key] = true
		if err := w.marked(kind, d); err != nil {
			return nil, err
		}
		change := Change{Kind: kind, Name: d.Name, Action: Create, want: d.XML, late: strings.Contains(d.XML, multiJobClass)}
		if s, ok := there[key]; ok {
			change.Action = Update
			if why := w.notOurs(kind, d.Name, s); why != "" {
				change.Action, change.Why = Conflict, why
			}
		}
		changes = append(changes, change)
	}
	for _, s := range have {
		if !seen[keyOf(s.Name)] && slices.Contains(w.Projects, ownerOf(s.Description)) {
			changes = append(changes, Change{
				Kind: kind, Name: s.Name, Action: Remove, late: s.Class == multiJobClass, busy: strings.HasSuffix(s.Color, "_anime"),
			})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return changes, nil
}

// markedDocument is a document with the mark in its description, as documents
// are usually written.
var markedDocument = regexp.MustCompile(`<description>[^<]*&lt;!-- Managed by xtci for ([^<]*?) --&gt;`)

// marked checks that a document says which project it is of: without that it
// would be somebody else's the next time.
func (w Wanted) marked(kind string, d Document) error {
	if match := markedDocument.FindStringSubmatch(d.XML); match != nil && slices.Contains(w.Projects, html.UnescapeString(match[1])) {
		return nil
	}
	root, err := parsePart(d.XML)
	if err != nil {
		return fmt.Errorf("the document of the %s %s: %w", kind, d.Name, err)
	}
	if !slices.Contains(w.Projects, ownerOf(root.description())) {
		return fmt.Errorf("the description of the %s %s does not say that xtci made it for one of %q: it would be left over", kind, d.Name, w.Projects)
	}
	return nil
}

const multiJobClass = "com.tikal.jenkins.plugins.multijob.MultiJobProject"

// description is that of a document.
func (p *part) description() string {
	for _, kid := range p.kids {
		if kid.name == "description" {
			return kid.text
		}
	}
	return ""
}

// notOurs says why what has a wanted name is not to be touched, or nothing.
func (w Wanted) notOurs(kind, name string, s summary) string {
	owner := ownerOf(s.Description)
	switch {
	case s.Name != name:
		return fmt.Sprintf("there is a %s %s, and names that differ in case only are one to Jenkins", kind, s.Name)
	case owner == "":
		return fmt.Sprintf("somebody else made the %s of that name", kind)
	case !slices.Contains(w.Projects, owner):
		return fmt.Sprintf("the %s of that name is of the project %s", kind, owner)
	}
	return ""
}

// compare reads what is there, and says what differs.
func (c *Client) compare(ctx context.Context, change *Change) error {
	read := c.JobConfig
	if change.Kind == kindView {
		read = c.ViewConfig
	}
	text, err := read(ctx, change.Name)
	if err != nil {
		return err
	}
	want, err := normal(change.want)
	if err != nil {
		return fmt.Errorf("the document of the %s %s: %w", change.Kind, change.Name, err)
	}
	have, err := normal(text)
	if err != nil {
		change.Lines = []string{"- what Jenkins has cannot be read: " + err.Error()}
		return nil //nolint:nilerr // what cannot be read is a difference, and no failure
	}
	if change.Kind == kindView {
		have, want = withoutName(have), withoutName(want)
	}
	if change.Lines = differences(have, want); change.Lines == nil {
		change.Action = Keep
	}
	return nil
}

// withoutName removes the name of a view, which is not told by its document
// but by its address.
func withoutName(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  <name>") })
}

// ApplyOptions say how far Apply may go.
type ApplyOptions struct {
	// Prune removes what xtci made and nobody wants any more, with all its
	// builds. What is running is not removed.
	Prune bool
	// Adopt takes over jobs and views of others that have a wanted name.
	Adopt bool
	// Parallel is how many requests are under way at once: 8 if zero, and at
	// most.
	Parallel int
	// Progress, if not nil, is told of each change that was made, from one
	// goroutine at a time.
	Progress func(done, total int, c Change)
}

// A ConflictError is wanted names that others have.
type ConflictError struct{ Changes []Change }

func (e *ConflictError) Error() string {
	names := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		names[i] = fmt.Sprintf("%s %s (%s)", c.Kind, c.Name, c.Why)
	}
	const shown = 5
	more := ""
	if len(names) > shown {
		names, more = names[:shown], fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return "not made by xtci, and so not touched: " + strings.Join(names, ", ") + more
}

// Apply makes Jenkins have what is wanted, and returns what it did and what it
// left: all changes of Diff but those that keep. Nothing is written when a
// wanted name is somebody else's.
func (c *Client) Apply(ctx context.Context, w Wanted, o ApplyOptions) ([]Change, error) {
	changes, err := c.Diff(ctx, w)
	if err != nil {
		return nil, err
	}
	if o.Adopt {
		if err := c.adopt(ctx, changes); err != nil {
			return nil, err
		}
	}
	changes = slices.DeleteFunc(changes, func(change Change) bool { return change.Action == Keep })
	conflicts := slices.DeleteFunc(slices.Clone(changes), func(change Change) bool { return change.Action != Conflict })
	if len(conflicts) > 0 {
		return changes, &ConflictError{conflicts}
	}
	writer := &writing{client: c, options: o}
	for i := range changes {
		if changes[i].Action == Remove && changes[i].busy {
			changes[i].Why = "it is running"
		}
		if o.does(changes[i]) {
			writer.total++
		}
	}
	for _, step := range steps() {
		if err := writer.write(ctx, changes, step); err != nil {
			return changes, err
		}
	}
	return changes, nil
}

// does says whether Apply makes a change.
func (o ApplyOptions) does(c Change) bool {
	return c.Action == Create || c.Action == Update || c.Action == Remove && o.Prune && !c.busy
}

// adopt compares what others made as if it were ours.
func (c *Client) adopt(ctx context.Context, changes []Change) error {
	return parallel(ctx, maxParallel, len(changes), func(ctx context.Context, i int) error {
		if changes[i].Action != Conflict {
			return nil
		}
		changes[i].Action, changes[i].Why = Update, ""
		return c.compare(ctx, &changes[i])
	})
}

// A step is a group of changes that may be made at once.
type step func(Change) bool

// steps are in the order in which a MultiJob never names a job that is not
// there, which Jenkins would pass over in silence.
func steps() []step {
	return []step{
		func(c Change) bool { return c.Kind == kindJob && c.Action != Remove && !c.late },
		func(c Change) bool { return c.Kind == kindJob && c.Action != Remove && c.late },
		func(c Change) bool { return c.Kind == kindView && c.Action != Remove },
		func(c Change) bool { return c.Kind == kindView && c.Action == Remove },
		func(c Change) bool { return c.Kind == kindJob && c.Action == Remove && c.late },
		func(c Change) bool { return c.Kind == kindJob && c.Action == Remove && !c.late },
	}
}

// A writing is an Apply that is under way.
type writing struct {
	client  *Client
	options ApplyOptions

	mu          sync.Mutex
	done, total int
}

// write makes the changes of a step.
func (w *writing) write(ctx context.Context, changes []Change, in step) error {
	var todo []Change
	for _, change := range changes {
		if in(change) && w.options.does(change) {
			todo = append(todo, change)
		}
	}
	limit := cmp.Or(min(w.options.Parallel, maxParallel), maxParallel)
	return parallel(ctx, limit, len(todo), func(ctx context.Context, i int) error {
		if err := w.client.change(ctx, todo[i]); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done++
		if w.options.Progress != nil {
			w.options.Progress(w.done, w.total, todo[i])
		}
		return nil
	})
}

// change makes one change.
func (c *Client) change(ctx context.Context, change Change) error {
	isView := change.Kind == kindView
	switch {
	case change.Action == Create && isView:
		return c.CreateView(ctx, change.Name, change.want)
	case change.Action == Create:
		return c.CreateJob(ctx, change.Name, change.want)
	case change.Action == Update && isView:
		return c.UpdateView(ctx, change.Name, change.want)
	case change.Action == Update:
		return c.UpdateJob(ctx, change.Name, change.want)
	case change.Action == Remove && isView:
		return c.DeleteView(ctx, change.Name)
	case change.Action == Remove:
		return c.DeleteJob(ctx, change.Name)
	}
	return fmt.Errorf("%s: nothing is known of that", change)
}

// parallel calls do for 0 to n-1, at most limit at once. The first error stops
// it; all errors are returned but those that come of the stopping.
func parallel(ctx context.Context, limit, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	failed := make([]error, n)
	var group sync.WaitGroup
	for range min(limit, n) {
		group.Go(func() {
			for i := range next {
				if failed[i] = do(ctx, i); failed[i] != nil {
					cancel(errStopped)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	group.Wait()
	stopped := context.Cause(ctx)
	if !errors.Is(stopped, errStopped) {
		return errors.Join(append(failed, stopped)...)
	}
	failed = slices.DeleteFunc(failed, func(err error) bool {
		return err != nil && errors.Is(err, context.Canceled)
	})
	return errors.Join(failed...)
}

// errStopped is why what is still under way is given up.
var errStopped = errors.New("something else went wrong")
