/**
 * The newest migration that these functions need, as `supabase_migrations.schema_migrations` names it.
 * A test holds it to the newest file in supabase/migrations.
 */
export const SCHEMA_VERSION = "20251105104100";
