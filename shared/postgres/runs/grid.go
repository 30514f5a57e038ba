package runs

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// grid is an array of two dimensions that is filled row by row, or of one when it
// has no width. Its elements are
// handed out by pointer and encode themselves, which costs neither reflection nor
// an allocation each.
type grid[T any] struct {
	cells []T
	width int
}

func newGrid[T any](rows, width int) *grid[T] {
	return &grid[T]{cells: make([]T, 0, rows*max(width, 1)), width: width}
}

func (g *grid[T]) add(cells ...T) { g.cells = append(g.cells, cells...) }

// Dimensions implements pgtype.ArrayGetter.
func (g *grid[T]) Dimensions() []pgtype.ArrayDimension {
	if len(g.cells) == 0 {
		return []pgtype.ArrayDimension{}
	}
	if g.width == 0 {
		return []pgtype.ArrayDimension{{Length: int32(len(g.cells)), LowerBound: 1}}
	}
	return []pgtype.ArrayDimension{{Length: int32(len(g.cells) / g.width), LowerBound: 1}, {Length: int32(g.width), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (g *grid[T]) Index(i int) any { return &g.cells[i] }

// IndexType implements pgtype.ArrayGetter.
func (g *grid[T]) IndexType() any { return new(T) }

func textCell(s string) pgtype.Text { return pgtype.Text{String: s, Valid: true} }

// maybeCell is NULL for nil.
func maybeCell(s *string) pgtype.Text {
	if s == nil {
		return pgtype.Text{}
	}
	return textCell(*s)
}

func intCell(n int64) pgtype.Int8 { return pgtype.Int8{Int64: n, Valid: true} }

func floatCell(f float64) pgtype.Float8 { return pgtype.Float8{Float64: f, Valid: true} }

func timeCell(t time.Time) pgtype.Timestamp { return pgtype.Timestamp{Time: t.UTC(), Valid: true} }

func maybeTimeCell(t *time.Time) pgtype.Timestamp {
	if t == nil {
		return pgtype.Timestamp{}
	}
	return timeCell(*t)
}

// beginArgs are the arguments of sqlBegin; the migration that makes the function
// says what each column is.
func beginArgs(list []*beginning) []any {
	n, nodes := len(list), 0
	for _, x := range list {
		nodes += len(x.nodes)
	}
	ids, docs, texts := newGrid[pgtype.UUID](n, 9), newGrid[pgtype.Text](n, 2), newGrid[pgtype.Text](n, 13)
	nums, floats, times := newGrid[pgtype.Int8](n, 6), newGrid[pgtype.Float8](n, 2), newGrid[pgtype.Timestamp](n, 3)
	nodeIDs, nodeTexts, nodeNums := newGrid[pgtype.UUID](nodes, 2), newGrid[pgtype.Text](nodes, 10), newGrid[pgtype.Int8](nodes, 2)
	nodeFloats, nodeTimes := newGrid[pgtype.Float8](nodes, 1), newGrid[pgtype.Timestamp](nodes, 2)
	for i, x := range list {
		id := &x.ids
		ids.add(id.run, id.tenant, id.app, id.workflow, id.task, id.rowWorkflow, id.by, id.log, id.logWorkflow)
		docs.add(textCell(clean(string(x.run.Spec))), maybeCell(x.events))
		texts.add(textCell(x.run.Queue), textCell(x.status), textCell(x.lease.Owner), maybeCell(x.kind), textCell(x.row.TriggeredFrom),
			textCell(x.row.Version), textCell(clean(x.row.Graph)), textCell(clean(x.row.Inputs)), textCell(x.end.Status),
			maybeCell(cleaned(x.end.Outputs)), maybeCell(cleaned(x.end.Error)), textCell(x.by.Role), textCell(x.log.CreatedFrom))
		first, final := pgtype.Int8{}, int64(0)
		if x.first != nil {
			first = intCell(*x.first)
		}
		if x.final {
			final = 1
		}
		nums.add(intCell(x.lease.LastSeq), first, intCell(final), intCell(x.end.Tokens), intCell(int64(x.end.Steps)), intCell(int64(x.end.Exceptions)))
		floats.add(floatCell(x.ttl.Seconds()), floatCell(x.end.Elapsed))
		times.add(timeCell(x.row.CreatedAt), maybeTimeCell(x.ended), timeCell(x.log.CreatedAt))
		for k := range x.nodes {
			c := &x.nodes[k]
			nodeIDs.add(c.id, c.workflow)
			nodeTexts.add(textCell(c.TriggeredFrom), textCell(c.NodeID), textCell(c.NodeType), textCell(c.Title), maybeCell(c.Inputs),
				maybeCell(c.ProcessData), maybeCell(c.Outputs), textCell(c.Status), maybeCell(c.Error), maybeCell(c.Metadata))
			nodeNums.add(intCell(int64(i+1)), intCell(int64(c.Index)))
			nodeFloats.add(floatCell(c.Elapsed))
			nodeTimes.add(timeCell(c.CreatedAt), maybeTimeCell(c.FinishedAt))
		}
	}
	tenants, apps := admitted(list)
	return []any{ids, docs, texts, nums, floats, times, nodeIDs, nodeTexts, nodeNums, nodeFloats, nodeTimes, tenants, apps}
}
