/**
 * A stand-in of Supabase's Vault, which PostgreSQL alone does not have: its names and signatures
 * (github.com/supabase/vault, sql/supabase_vault--0.3.0.sql), without its encryption.
 */
export const VAULT = `
  create schema vault;
  create table vault.secrets (
    id uuid primary key default gen_random_uuid(),
    name text,
    description text not null default '',
    secret text not null,
    key_id uuid,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp
  );
  create unique index on vault.secrets (name) where name is not null;
  create view vault.decrypted_secrets as
    select *, convert_from(decode(secret, 'base64'), 'utf8') as decrypted_secret from vault.secrets;
  create function vault.create_secret(
    new_secret text, new_name text = null, new_description text = '', new_key_id uuid = null
  ) returns uuid language sql security definer set search_path = '' as $$
    insert into vault.secrets (secret, name, description)
    values (encode(convert_to(new_secret, 'utf8'), 'base64'), new_name, new_description) returning id
  $$;
  create function vault.update_secret(
    secret_id uuid, new_secret text = null, new_name text = null, new_description text = null,
    new_key_id uuid = null
  ) returns void language sql security definer set search_path = '' as $$
    update vault.secrets set
      secret = coalesce(encode(convert_to(new_secret, 'utf8'), 'base64'), secret),
      name = coalesce(new_name, name), description = coalesce(new_description, description), updated_at = now()
    where id = secret_id
  $$;`;
