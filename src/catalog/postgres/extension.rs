//! What is known of Postgres extensions: who carries them, and what they need before they work.

use crate::model::decode::suggest;

/// One extension.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension {
    /// Its name in `CREATE EXTENSION`.
    pub(super) name: &'static str,
    /// Who carries it.
    pub(super) carrier: Carrier,
    /// The libraries that must be loaded when the server starts, in this order.
    pub(super) preload: &'static [&'static str],
}

/// Where an extension can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// It belongs to Postgres: the official image and the recipe have it.
    Core,
    /// The recipe has it, the official image does not.
    Recipe,
    /// Neither has it; an image that does must be named. Says which.
    Elsewhere(&'static str),
}

/// Returns what is known of the extension `name`.
pub(super) fn find(name: &str) -> Option<&'static Extension> {
    EXTENSIONS.iter().find(|extension| extension.name == name)
}

/// Returns the extension that `name` was probably meant to be: many go by their project's name.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == lower)
        .map(|(_, name)| *name)
        .or_else(|| find(&lower.replace('-', "_")).map(|extension| extension.name))
        .or_else(|| find(&lower.replace('_', "-")).map(|extension| extension.name))
        .or_else(|| suggest(&lower, EXTENSIONS.iter().map(|extension| extension.name)))
}

const ALIASES: &[(&str, &str)] = &[
    ("pgvector", "vector"),
    ("pg_vector", "vector"),
    ("uuid", "uuid-ossp"),
    ("uuid_ossp", "uuid-ossp"),
    ("trgm", "pg_trgm"),
    ("trigram", "pg_trgm"),
    ("gis", "postgis"),
    ("cron", "pg_cron"),
    ("pgcron", "pg_cron"),
    ("crypto", "pgcrypto"),
    ("pg_crypto", "pgcrypto"),
    ("partman", "pg_partman"),
    ("stat_statements", "pg_stat_statements"),
    ("timescale", "timescaledb"),
    ("pg_audit", "pgaudit"),
    ("repack", "pg_repack"),
    ("plpython", "plpython3u"),
    ("graphql", "pg_graphql"),
];

const fn core(name: &'static str) -> Extension {
    Extension { name, carrier: Carrier::Core, preload: &[] }
}

const fn recipe(name: &'static str) -> Extension {
    Extension { name, carrier: Carrier::Recipe, preload: &[] }
}

const fn elsewhere(name: &'static str, image: &'static str) -> Extension {
    Extension { name, carrier: Carrier::Elsewhere(image), preload: &[] }
}

impl Extension {
    const fn preloads(self, libraries: &'static [&'static str]) -> Self {
        Self { preload: libraries, ..self }
    }
}

const EXTENSIONS: &[Extension] = &[
    core("amcheck"),
    core("autoinc"),
    core("bloom"),
    core("btree_gin"),
    core("btree_gist"),
    core("citext"),
    core("cube"),
    core("dblink"),
    core("dict_int"),
    core("dict_xsyn"),
    core("earthdistance"),
    core("file_fdw"),
    core("fuzzystrmatch"),
    core("hstore"),
    core("insert_username"),
    core("intagg"),
    core("intarray"),
    core("isn"),
    core("lo"),
    core("ltree"),
    core("moddatetime"),
    core("pageinspect"),
    core("pg_buffercache"),
    core("pg_freespacemap"),
    core("pg_prewarm"),
    core("pg_stat_statements").preloads(&["pg_stat_statements"]),
    core("pg_surgery"),
    core("pg_trgm"),
    core("pg_visibility"),
    core("pg_walinspect"),
    core("pgcrypto"),
    core("pgrowlocks"),
    core("pgstattuple"),
    core("plpgsql"),
    core("postgres_fdw"),
    core("refint"),
    core("seg"),
    core("sslinfo"),
    core("tablefunc"),
    core("tcn"),
    core("tsm_system_rows"),
    core("tsm_system_time"),
    core("unaccent"),
    core("uuid-ossp"),
    core("xml2"),
    recipe("hll"),
    recipe("hypopg"),
    recipe("ip4r"),
    recipe("orafce"),
    recipe("pg_cron").preloads(&["pg_cron"]),
    recipe("pg_partman"),
    recipe("pg_qualstats").preloads(&["pg_qualstats"]),
    recipe("pg_repack"),
    recipe("pg_similarity"),
    recipe("pg_stat_kcache").preloads(&["pg_stat_statements", "pg_stat_kcache"]),
    recipe("pg_wait_sampling").preloads(&["pg_wait_sampling"]),
    recipe("pgaudit").preloads(&["pgaudit"]),
    recipe("pgtap"),
    recipe("plpgsql_check"),
    recipe("postgis"),
    recipe("postgis_raster"),
    recipe("postgis_tiger_geocoder"),
    recipe("postgis_topology"),
    recipe("prefix"),
    recipe("rum"),
    recipe("semver"),
    recipe("set_user").preloads(&["set_user"]),
    recipe("tdigest"),
    recipe("vector"),
    elsewhere("age", "apache/age"),
    elsewhere("pg_graphql", "supabase/postgres"),
    elsewhere("pg_net", "supabase/postgres").preloads(&["pg_net"]),
    elsewhere("pgroonga", "groonga/pgroonga"),
    elsewhere("pgrouting", "pgrouting/pgrouting"),
    elsewhere("pgsodium", "supabase/postgres").preloads(&["pgsodium"]),
    elsewhere("plpython3u", "an image of your own"),
    elsewhere("plv8", "an image of your own"),
    elsewhere("timescaledb", "timescale/timescaledb").preloads(&["timescaledb"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_by_what_people_call_them() {
        for (said, name) in
            [("pgvector", "vector"), ("pg_trgrm", "pg_trgm"), ("UUID_OSSP", "uuid-ossp")]
        {
            assert_eq!(meant(said), Some(name));
        }
        assert_eq!(meant("nothing-like-it"), None);
        for (_, name) in ALIASES {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
