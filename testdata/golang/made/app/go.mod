module example.com/Made/app

go 1.26.0

require (
	example.com/Made/lib v0.3.0
	example.com/forked v1.0.0
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
	rsc.io/pdf v0.1.1
	rsc.io/qr v0.2.0
	rsc.io/quote v1.5.2
)

require (
	github.com/atotto/clipboard v0.1.2 // indirect
	golang.org/x/text v0.0.0-20170915032832-14c0d48ead0c // indirect
	rsc.io/2fa v1.2.0 // indirect
	rsc.io/sampler v1.3.0 // indirect
)

replace (
	example.com/Made/lib => ../lib
	example.com/forked => ../fork
	rsc.io/sampler => rsc.io/sampler v1.99.99
)

tool rsc.io/2fa
