package decisionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	// lockPoll is how often a waiting writer looks whether the lock is free.
	lockPoll = 10 * time.Millisecond
	// lockWait is how long one writer waits for others: a stopped one must not keep
	// a gate from ever answering.
	lockWait = time.Minute
)

// Append appends one entry per decision to the log in file, which it makes if it
// is not there, and returns the log's new head. When it returns without an error
// the entries are on disk; with one, none of them is in the log, or the error says
// that they could not be taken back.
//
// Processes take turns by an exclusive lock on file with ".lock", which stays. They
// wait for each other until ctx ends, and a minute at most.
//
// Only the last line is read, and checked: that it is whole, of the same origin,
// and of a sequence that can be at that place. Whether the lines before it are a
// chain is for [Verify] to say. Nothing is ever repaired. A [*BrokenError] says
// what is wrong with the last line.
//
// The decisions must be strict JSON; now must be the machine's clock.
func Append(ctx context.Context, file, origin string, now time.Time, decisions ...json.RawMessage) (Head, error) {
	head, err := appendAll(ctx, file, origin, now, decisions)
	if err != nil {
		return Head{}, fmt.Errorf("appending to decision log %q: %w", file, err)
	}
	return head, nil
}

func appendAll(ctx context.Context, file, origin string, now time.Time, decisions []json.RawMessage) (Head, error) {
	if err := CheckOrigin(origin); err != nil {
		return Head{}, err
	}
	if len(decisions) == 0 {
		return Head{}, errors.New("expected at least one decision, found none")
	}
	for i, d := range decisions {
		if err := strict(d); err != nil {
			return Head{}, fmt.Errorf("decision %d: %w", i+1, err)
		}
	}
	if year := now.UTC().Year(); now.IsZero() || year < 1 || year > 9999 {
		return Head{}, fmt.Errorf("expected a time of the years 1 to 9999, found %v", now)
	}
	if _, err := look(file); err != nil {
		return Head{}, err // before a lock is left beside what is no log
	}
	unlock, err := lock(ctx, file+".lock", lockWait)
	if err != nil {
		return Head{}, err
	}
	defer unlock()
	there, err := look(file)
	if err != nil {
		return Head{}, err
	}
	l, err := open(file, there)
	if err != nil {
		return Head{}, err
	}
	defer l.file.Close()
	head, err := l.head(origin)
	if err != nil {
		return Head{}, err
	}
	lines, head, err := chain(head, now, decisions)
	if err != nil {
		return Head{}, err
	}
	if err := l.write(lines); err != nil {
		return Head{}, err
	}
	return head, nil
}

// lock takes the lock in a file. What is there and no regular file is refused:
// opening a pipe could wait for ever.
func lock(ctx context.Context, name string, wait time.Duration) (unlock func(), err error) {
	if _, err := look(name); err != nil {
		return nil, fmt.Errorf("locking %q: %w", name, err)
	}
	l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR|openFlags), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ok, err := l.TryLockContext(waiting, lockPoll)
	switch {
	case err == nil && ok:
		return func() { _ = l.Unlock() }, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("waiting for %q: %w", name, ctx.Err())
	case waiting.Err() != nil || err == nil:
		return nil, fmt.Errorf("waiting for %q: another process held it for %s", name, wait)
	}
	return nil, fmt.Errorf("locking %q: %w", name, withoutPath(err))
}

// An openLog is a log that is open for appending, and locked.
type openLog struct {
	file *os.File
	path string
	size int64
	made bool // by open
}

// look tells whether anything is at path. It must be a regular file by its own
// name: what is appended through a link may land where nobody looks for it, and a
// device keeps nothing.
func look(path string) (there bool, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, withoutPath(err)
	}
	return true, regular(info)
}

func regular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("expected a file or nothing there, found %s", kindOf(info))
	}
	return nil
}

// open opens the log that is there, or makes it. What took its place after it was
// looked at is held to the same.
func open(path string, there bool) (*openLog, error) {
	flags := os.O_RDWR | os.O_APPEND | openFlags
	if !there {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, withoutPath(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		f.Close()
		return nil, withoutPath(err)
	}
	return &openLog{file: f, path: path, size: info.Size(), made: !there}, nil
}

// head is the head of the log as its last line tells it.
func (l *openLog) head(origin string) (Head, error) {
	if l.size == 0 {
		return Head{Origin: origin, Hash: noHash}, nil
	}
	line, err := l.lastLine()
	if err != nil {
		return Head{}, err
	}
	e, broken := parseLine(line)
	if broken != nil {
		return Head{}, broken
	}
	if e.Origin != origin {
		return Head{}, &BrokenError{Expected: fmt.Sprintf("origin %q", origin), Found: fmt.Sprintf("%q: one log is of one origin", e.Origin)}
	}
	before := uint64(l.size) - uint64(len(line)) - 1
	if !plausible(e, before) {
		return Head{}, &BrokenError{Expected: fmt.Sprintf("a sequence and a previous hash that can be after %d bytes", before),
			Found: fmt.Sprintf("sequence %d, previous %s", e.Sequence, e.Previous)}
	}
	return Head{Origin: origin, Size: e.Sequence + 1, Hash: hashOf(line)}, nil
}

// plausible tells whether a line can stand after so many bytes of lines. A
// sequence that passes can be counted up without an overflow.
func plausible(e Entry, before uint64) bool {
	// The bounds leave to the first line, and to no other, only the sequence 0.
	return e.Sequence <= before/(minLine+1) && before <= e.Sequence*(maxLine+1) &&
		(e.Previous == noHash) == (before == 0)
}

// lastLine reads the log from its end until the last line is whole.
func (l *openLog) lastLine() ([]byte, error) {
	const most = maxLine + 2 // a line between two newlines
	for n := min(l.size, 64<<10); ; n = min(l.size, 4*n, most) {
		buf := make([]byte, n)
		if _, err := l.file.ReadAt(buf, l.size-n); err != nil {
			return nil, fmt.Errorf("reading the last line: %w", withoutPath(err))
		}
		whole := n == l.size // nothing lies before buf
		newline := bytes.LastIndexByte(buf, '\n')
		if newline == len(buf)-1 {
			if start := bytes.LastIndexByte(buf[:newline], '\n'); start >= 0 || whole {
				return l.bounded(buf[start+1 : newline])
			}
		} else if newline >= 0 || whole {
			return nil, l.torn(l.size - n + int64(newline) + 1)
		}
		if n == most {
			return nil, &BrokenError{Expected: fmt.Sprintf("a line of at most %d bytes", maxLine), Found: "a longer one"}
		}
	}
}

func (l *openLog) bounded(line []byte) ([]byte, error) {
	if len(line) > maxLine {
		return nil, &BrokenError{Expected: fmt.Sprintf("a line of at most %d bytes", maxLine), Found: fmt.Sprint(len(line))}
	}
	return line, nil
}

// torn says what to do about a last line without a newline. Cutting it off would
// hide that somebody else did the tearing, so a person has to decide.
func (l *openLog) torn(good int64) error {
	return &BrokenError{Expected: "a newline at its end",
		Found: fmt.Sprintf("none: the machine or a process stopped while writing %d bytes of a decision that was never reported, or the file was changed; "+
			"keep a copy, find out which, then cut the log to its first %d bytes (truncate -s %d FILE) or begin another", l.size-good, good, good)}
}

// chain makes the lines that follow head.
func chain(head Head, now time.Time, decisions []json.RawMessage) ([]byte, Head, error) {
	var lines []byte
	for i, d := range decisions {
		e := Entry{Origin: head.Origin, Sequence: head.Size, Previous: head.Hash, Time: now, Decision: d}
		start := len(lines)
		var err error
		if lines, err = e.appendTo(lines); err != nil {
			return nil, Head{}, fmt.Errorf("decision %d: %w", i+1, err)
		}
		line := lines[start:]
		if len(line) > maxLine {
			return nil, Head{}, fmt.Errorf("decision %d: expected a line of at most %d bytes, found %d", i+1, maxLine, len(line))
		}
		head.Size, head.Hash = head.Size+1, hashOf(line)
		lines = append(lines, '\n')
	}
	return lines, head, nil
}

// write writes the lines and waits until they are on disk, or takes them back.
func (l *openLog) write(lines []byte) error {
	var err error
	if l.size == 0 {
		// The name is on disk before the first line is in it: whoever finds a line
		// need not ask whether the process that wrote it lived to do this.
		err = syncDir(filepath.Dir(l.path))
	}
	if err == nil {
		_, err = l.file.Write(lines)
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing: %w", withoutPath(err))
	undo := l.file.Truncate(l.size)
	if undo == nil {
		undo = l.file.Sync()
	}
	if l.made && undo == nil {
		undo = os.Remove(l.path)
	}
	if undo != nil {
		return fmt.Errorf("%w; taking it back: %w: the end of the log may be torn", err, withoutPath(undo))
	}
	return err
}

func kindOf(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// withoutPath drops the file's name, which Append's error begins with.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
