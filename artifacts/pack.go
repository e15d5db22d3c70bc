package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// packBlock is how much of a file is compressed at once, in bytes. Blocks
	// of one file are compressed on all cores, each with the end of the one
	// before as its dictionary, so that the file is packed as tight as in one
	// go. The size decides which bytes come out: it is part of the promise
	// that the same campaign gives the same archive.
	packBlock = 1 << 20
	// packDictionary is how far deflate looks back.
	packDictionary = 32 << 10
	// packAhead is how many blocks are held for each core, read or packed.
	packAhead = 4
	// openAhead is how many files are opened, and their first blocks read,
	// before it is their turn: with an object store, both are requests.
	openAhead = 4
)

// A packJob is a block of a file on its way into the archive.
type packJob struct {
	name  string
	first bool // of its file
	last  bool
	// content and crc are of the whole file, in its last block.
	content *digest
	crc     uint32

	data   []byte // the end of the block before, and the block
	before int    // how many bytes are of the block before
	packed bytes.Buffer
	err    error
	done   chan struct{}
}

// A packer reads files ahead and compresses them on all cores. The channels
// have room for all blocks that there are: only taking a free one waits.
type packer struct {
	files fs.FS
	free  chan *packJob // those that nobody uses
	work  chan *packJob // to be compressed
	order chan *packJob // to be written, in the order of the archive
	group sync.WaitGroup
}

// addFiles writes files, in that order. It holds some blocks of them in
// memory, however large they are.
func (a *archiveWriter) addFiles(ctx context.Context, files fs.FS, names []string) error {
	cores := runtime.GOMAXPROCS(0)
	blocks := cores*packAhead + openAhead
	p := &packer{files: files, free: make(chan *packJob, blocks), work: make(chan *packJob, blocks), order: make(chan *packJob, blocks)}
	for range blocks {
		p.free <- &packJob{}
	}
	var writers []*flate.Writer
	for range cores {
		deflate, err := flate.NewWriter(io.Discard, compression)
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		writers = append(writers, deflate)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.group.Wait()
	defer cancel()
	for _, deflate := range writers {
		p.group.Go(func() {
			for job := range p.work {
				job.pack(deflate)
			}
		})
	}
	p.group.Go(func() {
		defer close(p.order)
		defer close(p.work)
		p.read(ctx, names)
	})
	return a.addPacked(ctx, p)
}

// addPacked writes what comes from a packer.
func (a *archiveWriter) addPacked(ctx context.Context, p *packer) error {
	var header *zip.FileHeader
	var raw io.Writer
	var packed *digest
	for job := range p.order {
		<-job.done
		err := job.err
		if err == nil && job.first {
			header, packed = entryHeader(job.name, zip.Deflate), newDigest()
			raw, err = a.zip.CreateRaw(header)
		}
		if err == nil {
			_, err = io.MultiWriter(raw, packed).Write(job.packed.Bytes())
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", job.name, err)
		}
		if job.last {
			finishEntry(header, job.crc, packed.n, job.content.n)
			a.manifest.Files = append(a.manifest.Files, manifestEntry{
				Path: job.name, Size: job.content.n, SHA256: job.content.String(), PackedSHA256: packed.String(),
			})
		}
		p.free <- job
	}
	return context.Cause(ctx) // reading just ends then
}

// pack compresses the block.
func (j *packJob) pack(deflate *flate.Writer) {
	defer close(j.done)
	j.packed.Reset()
	deflate.ResetDict(&j.packed, j.data[:j.before])
	_, j.err = deflate.Write(j.data[j.before:])
	switch {
	case j.err != nil:
	case j.last:
		j.err = deflate.Close()
	default:
		j.err = deflate.Flush() // to a whole byte, where the next block goes on
	}
}

// take waits for a block that nobody uses. It is nil when the context ended.
func (p *packer) take(ctx context.Context) *packJob {
	select {
	case job := <-p.free:
		job.first, job.last, job.err, job.before, job.data = false, false, nil, 0, job.data[:0]
		job.done = make(chan struct{})
		return job
	case <-ctx.Done():
		return nil
	}
}

// An openedFile is one whose first block has been read, or that could not be.
type openedFile struct {
	file fs.File
	job  *packJob
	ends bool // with its first block
}

// read reads the files in their order. While it reads one, the next ones are
// opened.
func (p *packer) read(ctx context.Context, names []string) {
	var next []chan openedFile
	defer func() { // those that are not read
		for _, result := range next {
			if o := <-result; o.file != nil {
				_ = o.file.Close() // it was only read
			}
		}
	}()
	for {
		for len(next) < openAhead && len(names) > 0 {
			job := p.take(ctx)
			if job == nil {
				return
			}
			name, result := names[0], make(chan openedFile, 1)
			names, next = names[1:], append(next, result)
			p.group.Go(func() { result <- p.open(name, job) })
		}
		if len(next) == 0 {
			return
		}
		o := <-next[0]
		next = next[1:]
		if !p.readOn(ctx, o) {
			return
		}
	}
}

// open opens a file and reads its first block.
func (p *packer) open(name string, job *packJob) openedFile {
	job.name, job.first = name, true
	file, err := p.files.Open(name)
	if err != nil {
		job.err = err
		return openedFile{job: job}
	}
	ends := job.fill(file)
	return openedFile{file, job, ends}
}

// fill reads the block, and says whether the file ends with it. One that ends
// where a block does ends with an empty one: readers differ in when they tell.
func (j *packJob) fill(file io.Reader) (ends bool) {
	end := len(j.data) + packBlock
	j.data = slices.Grow(j.data, packBlock)
	for len(j.data) < end {
		n, err := file.Read(j.data[len(j.data):end])
		j.data = j.data[:len(j.data)+n]
		if err == io.EOF { // wrapped in something it is no end, but a file that was cut
			return len(j.data) < end
		}
		if err != nil {
			j.err = err
			return false
		}
	}
	return false
}

// readOn reads a file to its end, and hands its blocks on. It says whether
// reading can go on.
func (p *packer) readOn(ctx context.Context, o openedFile) bool {
	if o.file != nil {
		defer o.file.Close()
	}
	job, ends := o.job, o.ends
	content, crc := newDigest(), crc32.NewIEEE()
	dictionary := make([]byte, 0, packDictionary)
	for {
		if job.err != nil {
			close(job.done)
			p.order <- job
			return false
		}
		block := job.data[job.before:]
		_, _ = content.Write(block) // hashes take all
		_, _ = crc.Write(block)
		if job.last = ends; ends {
			job.content, job.crc = content, crc.Sum32()
		}
		dictionary = append(dictionary[:0], job.data[max(0, len(job.data)-packDictionary):]...)
		name := job.name
		p.work <- job
		p.order <- job
		if ends {
			return true
		}
		if job = p.take(ctx); job == nil {
			return false
		}
		job.name, job.before, job.data = name, len(dictionary), append(job.data, dictionary...)
		ends = job.fill(o.file)
	}
}
