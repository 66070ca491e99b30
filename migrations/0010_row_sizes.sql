-- What rows cost on the way in.
--
-- A lead's row has about two kilobytes, just enough for Postgres to compress its texts one after the other and to move some
-- of them out: a tenth of all that a lead costs Postgres. Rows stay whole up to the size of a page.

alter table leads set (toast_tuple_target = 8160);

-- What is said of a vehicle is some kilobytes of JSON, which Postgres compresses. The faster of its two ways to do so is
-- used where the server has it.

do $$
declare
    part text;
begin
    alter table listing_sources alter column content set compression lz4;
    foreach part in array array['seller', 'attributes', 'features', 'media', 'price_list', 'vendor_data', 'description']
    loop
        execute format('alter table listings alter column %I set compression lz4', part);
    end loop;
exception when feature_not_supported then
    null;
end
$$;
