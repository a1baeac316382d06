// Package license says under which licence something stands: from what its
// metadata declare (an SPDX expression or not), or from the texts that lie with
// it, which are compared with the texts of the SPDX licence list.
//
// Identifiers are those of the SPDX licence list; ids.txt and exceptions.txt are
// lists of names taken by gen.sh.
package license
