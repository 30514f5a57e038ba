//go:build race

package fuzz

// mutants is how many documents TestMutants makes; with the race detector each takes
// ten times as long.
const mutants = 400
