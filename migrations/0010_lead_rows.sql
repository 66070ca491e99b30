-- A lead's row has about two kilobytes, just enough for Postgres to compress its texts one after the other and to move some
-- of them out, which cost more than the rest of the row. Rows stay whole up to the size of a page.

alter table leads set (toast_tuple_target = 8160);
