// SPDX-License-Identifier: Apache-2.0

// The Kubernetes provider, as its module is: schema and mapping are copied out of it when it is built.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

// Set by the linker to the version of the SDK that the program uses.
var version string

func main() { provider.Serve("kubernetes", version, schema, mapping) }
