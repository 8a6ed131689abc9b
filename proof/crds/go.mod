module hubstack.dev/sandbox/crds

go 1.26.0

// Only their config/crd folders are read; nothing is built, so no dependency of theirs is resolved or fetched.
require (
	github.com/kedacore/http-add-on v0.15.0
	github.com/kedacore/keda/v2 v2.21.0
	sigs.k8s.io/gateway-api v1.6.3
	sigs.k8s.io/gateway-api-inference-extension v1.5.0
	sigs.k8s.io/lws v0.9.0
	sigs.k8s.io/secrets-store-csi-driver v1.6.0
)
