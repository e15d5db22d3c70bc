package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Kind says who made an archive.
type Kind string

// Kinds of archives.
const (
	KindXtci    Kind = "xtci"    // with a manifest and an attestation
	KindClassic Kind = "classic" // Xtesting's zip_campaign: unsigned, without a manifest
)

// An Integrity says whether an archive is as it was made, and by whom.
type Integrity struct {
	Kind Kind `json:"kind"`
	// Untouched says that nothing was changed since the archive was signed.
	// Of a classic zip it cannot be known.
	Untouched bool `json:"untouched"`
	// Signer is the fingerprint of the key that signed the archive; KnownKey
	// whether it is the one that the reviewer named.
	Signer   string    `json:"signer,omitempty"`
	KnownKey bool      `json:"known_key"`
	Problems []Problem `json:"problems"`
	// OtherKey says that the reviewer named a key, which is another one.
	OtherKey bool `json:"-"`

	signed predicate // what the signature says of the campaign
}

// A Problem is what is wrong with a file of an archive, or, without a file,
// with the archive itself.
type Problem struct {
	File string `json:"file,omitempty"`
	Text string `json:"text"`
}

func (p Problem) String() string {
	if p.File == "" {
		return p.Text
	}
	return p.File + ": " + p.Text
}

// A Review is what a reviewer learns from an archive alone.
type Review struct {
	Integrity  Integrity             `json:"integrity"`
	Assessment *testcases.Assessment `json:"assessment"`
}

// Good says whether the campaign is conformant and the archive untouched.
func (r *Review) Good() bool {
	return r.Integrity.Untouched && r.Assessment.Verdict.Good()
}

// ReviewOptions are what a reviewer can choose.
type ReviewOptions struct {
	// Key is the lab's public key, when the reviewer knows it.
	Key     *PublicKey
	Limits  Limits
	Waivers map[string]string
	// Release names the catalogue for an archive that does not say its own.
	Release string
	// Tool is the name and version of the reviewer's xtci. What the same
	// version wrote into an archive must be, byte for byte, what it writes
	// now.
	Tool string
}

// ReviewArchive reviews an archive and trusts nothing in it. An error means
// that it was refused: it is no archive, or one that nobody should open.
func ReviewArchive(ctx context.Context, name string, o ReviewOptions) (*Review, error) {
	file, err := openRegular(name)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	defer file.Close()
	z, err := openZip(file, o.Limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	integrity, err := checkIntegrity(ctx, file, z, o.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	campaign, catalog, err := openReviewed(z, "", o.Release)
	if err != nil {
		// a damaged archive may hold no campaign: what was changed says why
		return nil, fmt.Errorf("%s: %w", name, errors.Join(append(integrity.errors(), err)...))
	}
	assessment, err := campaign.Assess(ctx, catalog, o.Waivers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &Review{Integrity: integrity, Assessment: assessment}
	if integrity.Kind == KindXtci {
		r.compareAttestation()
		r.compareReport(z)
		if campaign.Declared.Tool == o.Tool {
			r.compareDocuments(ctx, z, campaign)
		}
		r.Integrity.Untouched = len(r.Integrity.Problems) == 0
	}
	return r, nil
}

func (i Integrity) errors() []error {
	var errs []error
	for _, problem := range i.Problems {
		errs = append(errs, errors.New(problem.String()))
	}
	return errs
}

// AssessPath judges the campaign in an archive, or in a folder laid out like
// one, without asking whether it was changed. An empty tag stands for that of
// the only campaign in it.
func AssessPath(ctx context.Context, name, tag, release string) (*testcases.Assessment, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open the campaign: %w", err)
	}
	var files fs.FS
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		files = root.FS()
	} else {
		file, err := openRegular(name)
		if err != nil {
			return nil, fmt.Errorf("open the campaign: %w", err)
		}
		defer file.Close()
		if files, err = openZip(file, DefaultLimits()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	campaign, catalog, err := openReviewed(files, tag, release)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	assessment, err := campaign.Assess(ctx, catalog, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return assessment, nil
}

// openRegular opens a file. Opening a pipe would wait for ever.
func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file, but a %s", name, typeName(info.Mode()))
	}
	return os.Open(name)
}

// typeName says what that is which is no regular file.
func typeName(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// openReviewed opens the campaign in an archive, with the catalogue of the
// release that it says to be of.
func openReviewed(files fs.FS, tag, release string) (*Campaign, *testcases.Catalog, error) {
	if tag == "" {
		var err error
		if tag, err = FindTag(files); err != nil {
			return nil, nil, err
		}
	}
	campaign, err := OpenCampaign(files, tag)
	if err != nil {
		return nil, nil, err
	}
	if err := campaign.readProvenance(); err != nil {
		return nil, nil, err
	}
	if campaign.Declared.Release != "" {
		release = campaign.Declared.Release
	}
	catalog, err := testcases.Load(release)
	return campaign, catalog, err
}

// checkIntegrity finds out whether an archive is as it was signed.
func checkIntegrity(ctx context.Context, file *os.File, z *zip.Reader, known *PublicKey) (Integrity, error) {
	if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return slices.Contains(members, f.Name) }) {
		classic := Integrity{Kind: KindClassic, Problems: []Problem{{Text: "unsigned and without a manifest: whether it was changed since it was made cannot be told"}}}
		if known != nil {
			classic.Problems = append(classic.Problems, Problem{Text: "the key that you named, " + known.Fingerprint() + ", signed nothing in it"})
		}
		return classic, nil
	}
	c := integrityCheck{zip: z, Integrity: Integrity{Kind: KindXtci, Problems: []Problem{}}}
	info, err := file.Stat()
	if err != nil {
		return c.Integrity, err
	}
	c.signature(ctx, known)
	c.files(ctx)
	if err := checkLayout(ctx, file, info.Size(), z); err != nil {
		if ctx.Err() != nil {
			return c.Integrity, err
		}
		c.problem("", "%v", err)
	}
	return c.Integrity, context.Cause(ctx)
}

type integrityCheck struct {
	Integrity
	zip      *zip.Reader
	manifest manifest
}

func (c *integrityCheck) problem(file, format string, args ...any) {
	c.Problems = append(c.Problems, Problem{File: file, Text: fmt.Sprintf(format, args...)})
}

// signature checks the attestation, and reads the manifest that it signs.
func (c *integrityCheck) signature(ctx context.Context, known *PublicKey) {
	manifestBytes, err := c.read(Manifest, maxManifest)
	if err != nil {
		c.problem(Manifest, "%v", err)
	} else if err := json.Unmarshal(manifestBytes, &c.manifest); err != nil || c.manifest.Schema != manifestSchema {
		c.problem(Manifest, "not a manifest of schema %d: %v", manifestSchema, err)
	}
	attestation, err := c.read(Attestation, maxAttestation)
	if err != nil {
		c.problem(Attestation, "%v", err)
		return
	}
	signed, key, err := verifyAttestation(ctx, attestation, manifestBytes)
	if err != nil {
		c.problem(Attestation, "%v", err)
		return
	}
	c.Signer, c.signed = key.Fingerprint(), signed.Predicate
	switch {
	case known == nil:
	case known.Equal(key):
		c.KnownKey = true
	default:
		c.OtherKey = true
		c.problem(Attestation, "signed with the key %s, not with the one that you named, %s", c.Signer, known.Fingerprint())
	}
}

// maxManifest is the largest manifest that is read: 250 bytes a file.
const maxManifest = 64 << 20

// read returns a small file of the archive.
func (c *integrityCheck) read(name string, limit int64) ([]byte, error) {
	file, err := c.zip.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("it is missing from the archive")
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("is larger than %d bytes", limit)
	}
	return content, nil
}

// files compares every file with the manifest.
func (c *integrityCheck) files(ctx context.Context) {
	listed := map[string]manifestEntry{}
	for _, entry := range c.manifest.Files {
		listed[entry.Path] = entry
	}
	for _, file := range c.zip.File {
		entry, ok := listed[file.Name]
		delete(listed, file.Name)
		switch {
		case file.Name == Manifest || file.Name == Attestation:
		case !ok:
			c.problem(file.Name, "the manifest does not list it: it was added or renamed")
		default:
			c.file(ctx, file, entry)
		}
	}
	for _, entry := range c.manifest.Files {
		if _, missing := listed[entry.Path]; missing {
			c.problem(entry.Path, "the manifest lists it, the archive does not hold it: it was removed or renamed")
		}
	}
	if len(c.Problems) == 0 {
		c.order()
	}
}

// order compares the order of the files with the manifest's. It is worth a
// word only when they are the same files.
func (c *integrityCheck) order() {
	for i, file := range c.zip.File {
		want := Attestation
		if i < len(c.manifest.Files) {
			want = c.manifest.Files[i].Path
		} else if i == len(c.manifest.Files) {
			want = Manifest
		}
		if file.Name != want {
			c.problem(file.Name, "is where %s was: the order of the files was changed", want)
			return
		}
	}
}

// file compares what a file holds, and the bytes that hold it, with the manifest.
func (c *integrityCheck) file(ctx context.Context, file *zip.File, entry manifestEntry) {
	content, err := sum(ctx, file.Open)
	if err != nil {
		c.problem(file.Name, "cannot be read: %v", err)
		return
	}
	if content.n != entry.Size || content.String() != entry.SHA256 {
		c.problem(file.Name, "was changed: %d bytes with SHA-256 %s, the manifest says %d bytes with %s", content.n, content, entry.Size, entry.SHA256)
		return
	}
	packed, err := sum(ctx, func() (io.ReadCloser, error) {
		r, err := file.OpenRaw()
		return io.NopCloser(r), err
	})
	if err != nil {
		c.problem(file.Name, "cannot be read: %v", err)
	} else if packed.String() != entry.PackedSHA256 {
		c.problem(file.Name, "was packed again: the bytes that hold it are not those that the manifest lists")
	}
}

func sum(ctx context.Context, open func() (io.ReadCloser, error)) (*digest, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d := newDigest()
	_, err = io.Copy(contextWriter{ctx, d}, r)
	return d, err
}

// compareAttestation compares what was signed of the campaign with what its
// raw files give. Without a good signature nothing was.
func (r *Review) compareAttestation() {
	signed, derived := r.Integrity.signed, r.Assessment.WithoutWaivers()
	if r.Integrity.Signer != "" && (signed.BuildTag != derived.BuildTag || signed.Verdict != derived.Verdict) {
		r.Integrity.Problems = append(r.Integrity.Problems, Problem{File: Attestation, Text: fmt.Sprintf(
			"signs that %s is %s; the raw files say that %s is %s", signed.BuildTag, signed.Verdict, derived.BuildTag, derived.Verdict)})
	}
}

// compareDocuments compares the files that were made for the archive with what
// the same version makes of the raw files now.
func (r *Review) compareDocuments(ctx context.Context, z *zip.Reader, campaign *Campaign) {
	problem := func(file, text string) {
		r.Integrity.Problems = append(r.Integrity.Problems, Problem{File: file, Text: text})
	}
	made := map[string]string{}
	for _, document := range Documents(r.Assessment.WithoutWaivers()) {
		content := newDigest()
		if err := document.Write(content); err != nil {
			problem(document.Name, fmt.Sprintf("cannot be made again: %v", err))
			continue
		}
		made[document.Name] = content.String()
	}
	index := newDigest()
	if err := writeIndex(index, campaign.Index.relative(campaign.Tag)); err == nil {
		made[IndexName(campaign.Tag)] = index.String()
	}
	for _, file := range z.File {
		want, ok := made[file.Name]
		switch {
		case ok:
			if content, err := sum(ctx, file.Open); err == nil && content.String() != want {
				problem(file.Name, "is not what the raw files give")
			}
		case file.Name != Manifest && file.Name != Attestation && !strings.HasPrefix(file.Name, campaign.Tag+"/"):
			problem(file.Name, "no archive holds such a file")
		}
	}
}

// maxReport is the largest report.json that is read.
const maxReport = 256 << 20

// compareReport compares the verdict that the archive states with the one
// that its raw files give. A reviewer's waivers are no part of either.
func (r *Review) compareReport(files fs.FS) {
	problem := func(format string, args ...any) {
		r.Integrity.Problems = append(r.Integrity.Problems, Problem{File: ReportJSON, Text: fmt.Sprintf(format, args...)})
	}
	file, err := files.Open(ReportJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return // that it is missing has been said
	}
	if err != nil {
		problem("cannot be read: %v", err)
		return
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxReport))
	if err != nil {
		problem("cannot be read: %v", err)
		return
	}
	var stated struct {
		BuildTag string `json:"build_tag"`
		Verdict  testcases.CampaignVerdict
		Cases    []struct {
			Name    string                `json:"name"`
			Verdict testcases.CaseVerdict `json:"verdict"`
			Counts  testcases.Counts      `json:"counts"`
		} `json:"cases"`
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&stated); err != nil {
		problem("not a report: %v", jsonPlace(raw, err))
		return
	}
	derived := *r.Assessment.WithoutWaivers()
	if stated.BuildTag != derived.BuildTag || stated.Verdict != derived.Verdict {
		problem("says that %s is %s; the raw files say that %s is %s", stated.BuildTag, stated.Verdict, derived.BuildTag, derived.Verdict)
	}
	for i := range derived.Outcomes {
		outcome := &derived.Outcomes[i]
		at := -1
		for k := range stated.Cases {
			if stated.Cases[k].Name == outcome.Case.Name {
				at = k
			}
		}
		switch {
		case at < 0:
			problem("does not mention %s", outcome.Case.Name)
		case stated.Cases[at].Verdict != outcome.Verdict:
			problem("says %s of %s; the raw files say %s", stated.Cases[at].Verdict, outcome.Case.Name, outcome.Verdict)
		case stated.Cases[at].Counts != outcome.Counts:
			problem("counts for %s: %s; the raw files say: %s", outcome.Case.Name, stated.Cases[at].Counts, outcome.Counts)
		}
	}
}
