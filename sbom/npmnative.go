package sbom

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/golang"
	"plimsoll.example/sbom/rust"
)

// native adds what the programs in npm packages are made of: a Go program says so
// itself, a Rust program where cargo auditable built it. The package depends on its
// program, and that on its modules or crates. What other programs are made of is
// not known, and said.
func (p *npmProject) native(ctx context.Context, to *part, root *os.Root, o Options) error {
	byRef := map[string]*node{}
	for _, n := range to.all() {
		byRef[n.ref()] = n
	}
	for gi, g := range p.groups {
		seen := map[string]bool{}
		for _, i := range g.places {
			in := p.Packages[i].Installed
			if in == nil {
				continue
			}
			for _, file := range in.Native {
				if seen[file] {
					continue // the same package in another place
				}
				seen[file] = true
				if err := ctx.Err(); err != nil {
					return err
				}
				sub, err := p.readNative(ctx, root, path.Join(in.Place, file), o)
				if err != nil {
					p.opaque(gi, file, err)
					continue
				}
				to.adopt(sub, p.nodes[gi], file, byRef)
			}
		}
	}
	return nil
}

var errOpaque = errors.New("it does not say what it is made of")

// readNative reads one program.
func (p *npmProject) readNative(ctx context.Context, root *os.Root, file string, o Options) (*part, error) {
	f, err := root.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	build, err := golang.ReadBinary(ctx, f, o.Go)
	if err == nil {
		artifact, err := hashArtifact(f, path.Base(file))
		if err != nil {
			return nil, err
		}
		return goPart(build, artifact), nil
	}
	if !errors.Is(err, golang.ErrNotGo) {
		return nil, err
	}
	crates, err := rust.ReadBinary(f)
	if errors.Is(err, rust.ErrNoAudit) {
		return nil, errOpaque
	}
	if err != nil {
		return nil, err
	}
	artifact, err := hashArtifact(f, path.Base(file))
	if err != nil {
		return nil, err
	}
	return rustPart(crates, *artifact), nil
}

// opaque says that a package has a program of which it is not known what is in it.
func (p *npmProject) opaque(group int, file string, err error) {
	n := p.nodes[group]
	addProperty(&n.component, "plimsoll:npm:program", file)
	why := fmt.Sprintf("what the program %s is made of: %v", file, cause(err))
	if n.unknown == "" {
		n.unknown, n.partial = why, true
		addProperty(&n.component, "plimsoll:dependencies:unknown", why)
	}
}

func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// adopt adds a program and what it is made of below the package that has it.
// Components that are there already are one with these, where they are the same.
func (p *part) adopt(sub *part, owner *node, file string, byRef map[string]*node) {
	addProperty(&owner.component, "plimsoll:npm:program", file)
	sub.nodes = append(sub.nodes, sub.programs...)
	sub.programs = nil
	top := sub.root
	// Its own purl is that of the source it was built from; two platforms have one.
	ref := owner.ref() + "|" + file
	sub.redirect(map[string]string{top.ref(): ref})
	top.component.BOMRef = ref
	top.component.Scope = owner.component.Scope
	if top.component.Manufacturer == nil {
		top.component.Manufacturer, top.component.Supplier = owner.component.Manufacturer, owner.component.Supplier
	}
	removeProperty(&top.component, "plimsoll:unknown:producer")
	if top.component.Manufacturer == nil {
		addProperty(&top.component, "plimsoll:unknown:producer", "neither it nor the package that it comes in names anybody")
	}
	addOccurrence(&top.component, cdx.EvidenceOccurrence{Location: file})
	sub.rename(func(n *node) string {
		if have := byRef[n.ref()]; have != nil && !same(have.component, n.component) {
			return n.ref() + "|" + ref
		}
		return n.ref()
	})
	for _, n := range append([]*node{top}, sub.nodes...) {
		if have := byRef[n.ref()]; have != nil {
			have.absorb(n)
			continue
		}
		byRef[n.ref()] = n
		p.nodes = append(p.nodes, n)
	}
	owner.edges = append(owner.edges, ref)
	for _, gap := range sub.gaps {
		p.gaps = append(p.gaps, fmt.Sprintf("of %s in %s: %s", file, owner.ref(), gap))
	}
	p.tools = append(p.tools, sub.tools...)
}

// rustPart describes a Rust program by the list of crates in it. Crates that only
// ran when it was built are not in it.
func rustPart(crates []rust.Crate, artifact Artifact) *part {
	refs := make([]string, len(crates))
	for i, c := range crates {
		refs[i] = packageurl.NewPackageURL(packageurl.TypeCargo, "", c.Name, c.Version, nil, "").ToString()
		if c.Source != "crates.io" {
			refs[i] += "|" + c.Source
		}
	}
	out := &part{}
	for i, c := range crates {
		if c.Build {
			continue
		}
		n := &node{component: cdx.Component{
			BOMRef: refs[i], Type: cdx.ComponentTypeLibrary, Name: c.Name, Version: c.Version, Scope: cdx.ScopeRequired,
		}}
		if c.Source == "crates.io" {
			n.component.PackageURL = refs[i]
		} else {
			addProperty(&n.component, "plimsoll:unknown:identifier", fmt.Sprintf("its source is %q, of which the binary says no more", c.Source))
		}
		for _, d := range c.Dependencies {
			if !crates[d].Build && d != i {
				n.edges = append(n.edges, refs[d])
			}
		}
		for _, field := range []string{"license", "producer", "hash"} {
			addProperty(&n.component, "plimsoll:unknown:"+field, "the binary does not hold it")
		}
		addOccurrence(&n.component, cdx.EvidenceOccurrence{Location: artifact.Name})
		if c.Root && out.root == nil {
			n.component.Type = cdx.ComponentTypeApplication
			describeArtifact(&n.component, artifact)
			out.root = n
			continue
		}
		out.nodes = append(out.nodes, n)
	}
	if out.root == nil {
		n := &node{component: cdx.Component{BOMRef: "file:" + artifact.Name, Type: cdx.ComponentTypeApplication, Name: artifact.Name}}
		describeArtifact(&n.component, artifact)
		addProperty(&n.component, "plimsoll:version:unknown", "the binary does not name what was built")
		for _, field := range []string{"license", "producer", "identifier"} {
			addProperty(&n.component, "plimsoll:unknown:"+field, "the binary does not hold it")
		}
		for _, other := range out.nodes {
			n.edges = append(n.edges, other.ref())
		}
		out.root = n
	}
	unique(out)
	return out
}

// unique joins crates that a list has twice.
func unique(p *part) {
	seen := map[string]bool{p.root.ref(): true}
	p.nodes = slices.DeleteFunc(p.nodes, func(n *node) bool {
		again := seen[n.ref()]
		seen[n.ref()] = true
		return again
	})
	for _, n := range p.all() {
		n.edges = slices.DeleteFunc(n.edges, func(e string) bool { return !seen[e] || strings.Compare(e, n.ref()) == 0 })
	}
}
