-- Counts by service, category and hour of what stands in the fields that dashboards group by. Absent for what was written
-- before.
ALTER TABLE segments ADD COLUMN facts TEXT;
ALTER TABLE removals ADD COLUMN facts TEXT;
