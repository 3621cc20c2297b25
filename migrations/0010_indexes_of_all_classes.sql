-- An index is of segments of all classes: a search asks one where it would ask one of each class.
ALTER TABLE partitions DROP COLUMN class;
