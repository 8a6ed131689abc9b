// SPDX-License-Identifier: Apache-2.0

// Command promql parses and evaluates PromQL with Prometheus' own engine, for tests of alerts and dashboards.
//
// It reads {"load": TEXT, "queries": [{"expr": PROMQL, "at": SECONDS}]} from standard input, where TEXT has the
// form of promqltest ("load 1m", then series), and writes one {"error", "series"} per query. It starts no server.
package main

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

type query struct {
	Expr string `json:"expr"`
	At   int64  `json:"at"`
}

type sample struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

type answer struct {
	Error  string   `json:"error"`
	Series []sample `json:"series"`
}

// quiet stands in for a test: promqltest wants one to make its storage.
type quiet struct{ testing.TB }

func (quiet) Helper()                        {}
func (quiet) Cleanup(func())                 {}
func (quiet) Logf(string, ...any)            {}
func (quiet) Name() string                   { return "promql" }
func (quiet) TempDir() string                { d, _ := os.MkdirTemp("", "promql"); return d }
func (quiet) Errorf(format string, _ ...any) { panic(format) }
func (quiet) Fatalf(format string, _ ...any) { panic(format) }
func (quiet) FailNow()                       { panic("the series cannot be loaded") }

func main() {
	var asked struct {
		Load    string  `json:"load"`
		Queries []query `json:"queries"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	answers := make([]answer, 0, len(asked.Queries))
	if asked.Load == "" {
		for _, q := range asked.Queries {
			answers = append(answers, answer{Error: parse(q.Expr)})
		}
	} else {
		store := promqltest.LoadedStorage(quiet{}, asked.Load)
		engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
		for _, q := range asked.Queries {
			answers = append(answers, evaluate(engine, store, q))
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}

func parse(expr string) string {
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err != nil {
		return err.Error()
	}
	return ""
}

func evaluate(engine *promql.Engine, store storage.Queryable, q query) answer {
	made, err := engine.NewInstantQuery(context.Background(), store, nil, q.Expr, time.Unix(q.At, 0))
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer made.Close()
	result := made.Exec(context.Background())
	vector, err := result.Vector()
	if err != nil {
		return answer{Error: err.Error()}
	}
	found := answer{Series: []sample{}}
	for _, one := range vector {
		found.Series = append(found.Series, sample{Labels: one.Metric.Map(), Value: one.F})
	}
	return found
}
