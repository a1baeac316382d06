package npm

import "fmt"

// maxPeerSteps bounds the work of finding peers; a project of 3,000 packages takes
// about 10,000 steps.
const maxPeerSteps = 5_000_000

// peerSettler finds the packages that meet peers: what the dependents of a package
// have under that name, or what meets their own peer.
//
// > [A peer dependency] must be satisfied by [...] the direct ancestors of the
// > package. (Yarn, "Peer dependencies" in its rulebook.)
//
// yarn makes a copy of the package for each set of peers; here they are one.
type peerSettler struct {
	*berry
	own   []map[string]int          // what each package requires itself, by name
	peers []map[string]map[int]bool // found, by package and name
	todo  []foundPeer
	steps int
}

// foundPeer says that the package at to finds the one at peer under name.
type foundPeer struct {
	to   int
	name string
	peer int
}

func settlePeers(b *berry) error {
	s := &peerSettler{berry: b, own: make([]map[string]int, len(b.Packages)), peers: make([]map[string]map[int]bool, len(b.Packages))}
	for i, pkg := range b.Packages {
		s.own[i] = make(map[string]int, len(pkg.Edges))
		for _, e := range pkg.Edges {
			s.own[i][e.Name] = e.To
		}
	}
	for i := range b.Packages {
		s.offer(i)
	}
	for len(s.todo) > 0 && s.steps <= maxPeerSteps {
		last := len(s.todo) - 1
		found := s.todo[last]
		s.todo = s.todo[:last]
		s.hand(found)
	}
	if s.steps > maxPeerSteps {
		return fmt.Errorf("reading lockfile: its packages and their peers are more than %d pairs", maxPeerSteps)
	}
	for i, names := range s.peers {
		for _, name := range sortedKeys(names) {
			for to := range names[name] {
				b.edge(i, Edge{Name: name, Spec: b.entries[i].PeerDependencies[name], Kind: EdgePeer,
					Optional: mayLack(b.entries[i].PeerDependenciesMeta, name), To: to})
			}
		}
	}
	return nil
}

// offer gives the packages that one requires what it is and requires itself.
func (s *peerSettler) offer(i int) {
	for _, e := range s.Packages[i].Edges {
		if e.To >= len(s.entries) || s.entries[e.To] == nil {
			continue
		}
		for name := range s.entries[e.To].PeerDependencies {
			if s.steps++; s.steps > maxPeerSteps {
				return
			}
			if mine, ok := s.own[i][name]; ok {
				s.give(foundPeer{e.To, name, mine})
			} else if s.Packages[i].Name == name {
				s.give(foundPeer{e.To, name, i})
			}
		}
	}
}

// hand passes on to the packages that one requires what it has found itself.
func (s *peerSettler) hand(f foundPeer) {
	if _, ok := s.own[f.to][f.name]; ok || s.Packages[f.to].Name == f.name {
		return
	}
	for _, e := range s.Packages[f.to].Edges {
		s.steps++
		if e.To >= len(s.entries) || s.entries[e.To] == nil {
			continue
		}
		if _, ok := s.entries[e.To].PeerDependencies[f.name]; ok {
			s.give(foundPeer{e.To, f.name, f.peer})
		}
	}
}

func (s *peerSettler) give(f foundPeer) {
	names := s.peers[f.to]
	if names == nil {
		names = map[string]map[int]bool{}
		s.peers[f.to] = names
	}
	if names[f.name] == nil {
		names[f.name] = map[int]bool{}
	}
	if names[f.name][f.peer] {
		return
	}
	names[f.name][f.peer] = true
	s.todo = append(s.todo, f)
}
