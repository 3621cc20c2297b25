-- Whether the addresses in the segment's rows are those of networks. 0 for what was written before, which is looked
-- at once.
ALTER TABLE segments ADD COLUMN anonymised INTEGER NOT NULL DEFAULT 0;
