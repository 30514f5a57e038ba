//go:build !race

package fuzz

// mutants is how many documents TestMutants makes.
const mutants = 2000
