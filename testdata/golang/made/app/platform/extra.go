//go:build extra

package platform

import "rsc.io/qr"

func init() {
	if _, err := qr.Encode("made", qr.L); err == nil {
		names = append(names, "extra")
	}
}
