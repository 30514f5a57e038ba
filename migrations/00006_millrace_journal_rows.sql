-- Journal rows of a usual commit (two or three kilobytes) stay as they are
-- instead of being compressed to fit four to a page: compressing one costs more
-- processor time than everything else that is done to it.

-- +goose Up

ALTER TABLE run_events SET (toast_tuple_target = 4080);
