// Command moby answers what dockerd's classic image store does when an image is
// asked for with a platform: GetImage of github.com/docker/docker/daemon/images,
// by the image's config or by a manifest list that its lease holds.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	containerdlog "github.com/containerd/log"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/daemon/images"
	"github.com/docker/docker/image"
	dockerreference "github.com/docker/docker/reference"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go/v1"
)

const name = "docker.io/team/app:1" // what the image is asked for by

type question struct {
	Image     digest.Digest     `json:"image"`  // the image's ID: the digest of its config
	Config    string            `json:"config"` // the config's text
	Platform  specs.Platform    `json:"platform"`
	Resources []leases.Resource `json:"resources"` // what the image's lease holds; null: there is no lease
	// Blobs is the content store. Digests are names: nothing checks that they are
	// hashes of the documents.
	Blobs map[digest.Digest]string `json:"blobs"`
}

type answer struct {
	Found  bool   `json:"found"`
	Config bool   `json:"config"` // the config alone decides
	Class  string `json:"error,omitempty"`
	Text   string `json:"error_text,omitempty"`
}

func main() {
	_ = containerdlog.SetLevel("panic")
	serve(func(q question) answer {
		ours := store{q: q}
		service := images.NewImageService(images.ImageServiceConfig{
			ImageStore: ours, ReferenceStore: references{id: q.Image}, ContentStore: contents{blobs: q.Blobs}, Leases: lease{q: q},
		})
		img, err := image.NewFromJSON([]byte(q.Config))
		if err != nil {
			return answer{Class: "config", Text: err.Error()}
		}
		if _, err := service.GetImage(context.Background(), name, backend.GetImageOpts{Platform: &q.Platform}); err != nil {
			return answer{Class: class(err), Text: err.Error()}
		}
		claimed := specs.Platform{OS: img.OS, Architecture: img.Architecture, Variant: img.Variant}
		return answer{Found: true, Config: images.OnlyPlatformWithFallback(q.Platform).Match(claimed)}
	})
}

func class(err error) string {
	if strings.Contains(err.Error(), "does not match the specified platform") {
		return "mismatch"
	}
	return "other"
}

// store holds the question's one image.
type store struct {
	image.Store
	q question
}

func (s store) Get(id image.ID) (*image.Image, error) {
	if id.Digest() != s.q.Image {
		return nil, errors.New("no such image")
	}
	img, err := image.NewFromJSON([]byte(s.q.Config))
	if err != nil {
		return nil, err
	}
	// image's own store sets the ID in the same way: by marshalling it away from the JSON form.
	return image.Clone(img, id), nil
}

// references knows one name, of the question's image.
type references struct {
	dockerreference.Store
	id digest.Digest
}

func (r references) Get(reference.Named) (digest.Digest, error) { return r.id, nil }

type lease struct {
	leases.Manager
	q question
}

func (l lease) ListResources(context.Context, leases.Lease) ([]leases.Resource, error) {
	if l.q.Resources == nil {
		return nil, errdefs.ErrNotFound
	}
	return l.q.Resources, nil
}

type contents struct {
	content.Store
	blobs map[digest.Digest]string
}

func (c contents) ReaderAt(_ context.Context, descriptor specs.Descriptor) (content.ReaderAt, error) {
	blob, found := c.blobs[descriptor.Digest]
	if !found {
		return nil, errdefs.ErrNotFound
	}
	return reader{strings.NewReader(blob)}, nil
}

type reader struct{ *strings.Reader }

func (reader) Close() error { return nil }

// serve is jsonl.Serve of the other oracles, which are another module: dockerd
// needs other versions of the libraries that they ask.
func serve(ask func(question) answer) {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, readErr := in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				log.Fatalf("stdin line %d: %v", number, err)
			}
			if err := encoder.Encode(guarded(ask, q)); err != nil {
				log.Fatalf("stdout: %v", err)
			}
			if in.Buffered() == 0 { // an interactive caller waits for this line
				out.Flush()
			}
		}
		if readErr == io.EOF {
			return
		}
		if readErr != nil {
			log.Fatalf("stdin: %v", readErr)
		}
	}
}

func guarded(ask func(question) answer, q question) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Class: "panic", Text: fmt.Sprint(cause)}
		}
	}()
	return ask(q)
}
