// Package calls links what calls other functions of the deployment by name.
// Main packages hand [Open] to assemble.CallFunctions if the catalogue says that
// the function calls others.
package calls
