-- A stand-in for the extension Citus, which cannot be installed where the tests run. It is not Citus: nothing is spread. It
-- has the catalogue and the functions that `forecourt distribute` uses, by their names and signatures, and refuses what the
-- documentation of Citus says it refuses of them; each call is noted. The trial on real servers is told of in docs/scale.md.
set allow_system_table_mods = on;

create table pg_catalog.pg_dist_partition (
    logicalrelid regclass primary key,
    partmethod "char" not null,
    repmodel "char" not null,
    colocationid integer not null
);
grant select on pg_catalog.pg_dist_partition to public;

create table pg_catalog.stand_in_calls (number bigserial, called text not null);

create function pg_catalog.stand_in_note(called text) returns void
language sql security definer as $$ insert into pg_catalog.stand_in_calls (called) values (called) $$;

-- What a table refers to must be in its place: a reference table, or one that is distributed beside it with the workspace in the key.
create function pg_catalog.stand_in_check(this regclass, is_distributed boolean) returns void
language plpgsql security definer as $$
declare
    wrong text;
begin
    if exists (select from pg_dist_partition where logicalrelid = this) then
        raise exception 'table "%" is already distributed', this using errcode = 'invalid_table_definition';
    end if;
    if current_setting('citus.enable_local_reference_table_foreign_keys', true) is distinct from 'off' then
        raise exception 'the stand-in wants local tables to be left alone';
    end if;
    if is_distributed and current_setting('citus.multi_shard_modify_mode', true) is distinct from 'sequential' then
        raise exception 'cannot run multi-shard transaction in parallel mode: there was a modification of a reference table';
    end if;
    select i.indexrelid::regclass::text into wrong from pg_index i
    where is_distributed and i.indrelid = this and i.indisunique and not exists (
        select from pg_attribute a where a.attrelid = this and a.attname = 'workspace_id' and a.attnum = any(i.indkey));
    if wrong is not null then
        raise exception 'cannot create constraint on "%": distributed relations cannot have unique constraints that do not include the partition column (%)', this, wrong;
    end if;
    select c.conname into wrong from pg_constraint c
    left join pg_dist_partition d on d.logicalrelid = c.confrelid
    where c.conrelid = this and c.contype = 'f' and c.confrelid <> this and (d.logicalrelid is null
        or d.partmethod = 'h' and (not is_distributed or not exists (
            select from pg_attribute a where a.attrelid = this and a.attname = 'workspace_id' and a.attnum = any(c.conkey)))
        or d.partmethod = 'n' and d.repmodel = 's');
    if wrong is not null then
        raise exception 'cannot create foreign key constraint since relations are not colocated or not referencing a reference table (%)', wrong;
    end if;
    if exists (select from pg_class where oid = this and relispartition) then
        raise exception 'partitions are distributed with their table: %', this;
    end if;
end
$$;

create function pg_catalog.create_reference_table(table_name regclass) returns void
language plpgsql security definer as $$
begin
    perform stand_in_check(table_name, false);
    insert into pg_dist_partition values (table_name, 'n', 't', 1);
    perform stand_in_note('reference ' || table_name);
end
$$;

create function pg_catalog.create_distributed_table(
    table_name regclass, distribution_column text, distribution_type text default 'hash',
    colocate_with text default 'default', shard_count integer default null
) returns void
language plpgsql security definer as $$
begin
    if shard_count is not null and colocate_with <> 'none' then
        raise exception 'cannot use colocate_with with a table and shard_count at the same time';
    end if;
    if colocate_with <> 'none' and not exists (
        select from pg_dist_partition where logicalrelid = colocate_with::regclass and partmethod = 'h') then
        raise exception 'relation % is not distributed', colocate_with;
    end if;
    perform stand_in_check(table_name, true);
    insert into pg_dist_partition
    select oid, 'h', 's', 2 from (
        select table_name as oid union all select relid from pg_partition_tree(table_name) where relid <> table_name
    ) tree;
    perform stand_in_note('distributed ' || table_name || ' by ' || distribution_column || ' beside ' || colocate_with);
end
$$;

create function pg_catalog.citus_add_local_table_to_metadata(table_name regclass, cascade_via_foreign_keys boolean default false)
returns void language plpgsql security definer as $$
begin
    perform stand_in_check(table_name, false);
    insert into pg_dist_partition values (table_name, 'n', 's', 0);
    perform stand_in_note('local ' || table_name);
end
$$;
