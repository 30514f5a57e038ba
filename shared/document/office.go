package document

import (
	"context"
	"encoding/xml"
	"strings"
)

func readDOCX(ctx context.Context, data []byte, most int64) (string, error) {
	a, err := openArchive(ctx, data, most)
	if err != nil {
		return "", err
	}
	blocks, err := a.flow("word/document.xml", dialect{
		paragraphs: " p ", text: "t", table: "tbl", row: "tr", cell: "tc", keepEmpty: true,
		// Drawings hold their text a second time for older readers.
		skip: " pPr rPr sectPr tblPr tblGrid drawing pict object AlternateContent del moveFrom delText instrText ",
	})
	return strings.Join(blocks, "\n"), err
}

func readODT(ctx context.Context, data []byte, most int64) (string, error) {
	a, err := openArchive(ctx, data, most)
	if err != nil {
		return "", err
	}
	blocks, err := a.flow("content.xml", dialect{
		paragraphs: " p h ", table: "table", row: "table-row", cell: "table-cell", keepEmpty: true,
		skip: " automatic-styles font-face-decls scripts tracked-changes annotation frame custom-shape sequence-decls ",
	})
	return strings.Join(blocks, "\n"), err
}

func readPPTX(ctx context.Context, data []byte, most int64) (string, error) {
	a, err := openArchive(ctx, data, most)
	if err != nil {
		return "", err
	}
	const deck = "ppt/presentation.xml"
	targets, err := a.relations(deck)
	if err != nil {
		return "", err
	}
	var slides []string
	err = a.each(deck, func(e xml.StartElement) {
		if e.Name.Local == "sldId" {
			slides = append(slides, targets[relation(e)])
		}
	})
	if err != nil {
		return "", err
	}
	var out []string
	for _, slide := range slides {
		if !a.has(slide) {
			continue
		}
		blocks, err := a.flow(slide, dialect{paragraphs: " p ", text: "t", table: "tbl", row: "tr", cell: "tc",
			skip: " pPr rPr bodyPr lstStyle spPr nvSpPr tblPr tblGrid Fallback "})
		if err != nil {
			return "", err
		}
		out = append(out, blocks...)
	}
	return strings.Join(out, "\n"), nil
}
